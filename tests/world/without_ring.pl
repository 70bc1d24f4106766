# Runs a program under a seccomp filter that answers io_uring_setup with an error, as the filters
# of containers do.
#
#   perl without_ring.pl ERRNO PROGRAM ARGUMENT…
use strict;
use warnings;
use POSIX ();

my ($errno, @program) = @ARGV;
my %calls = (x86_64 => { prctl => 157, seccomp => 317 }, aarch64 => { prctl => 167, seccomp => 277 });
my $calls = $calls{ (POSIX::uname())[4] } or die "no system call numbers for this machine";

my $instruction = sub { pack 'SCCL', @_ };
my $filter = join '',
    $instruction->(0x20, 0, 0, 0),                  # load the number of the system call
    $instruction->(0x15, 0, 1, 425),                # io_uring_setup, on every machine
    $instruction->(0x06, 0, 0, 0x00050000 | $errno), # fail with ERRNO
    $instruction->(0x06, 0, 0, 0x7fff0000);         # allow
my $program = pack 'S x6 P', length($filter) / 8, $filter;
syscall($calls->{prctl}, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
syscall($calls->{seccomp}, 1, 0, $program) == 0 or die "seccomp: $!";
exec { $program[0] } @program or die "$program[0]: $!";
