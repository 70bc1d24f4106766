# Changes one password with the routine of poppass-cgi, taken out of the program that Debian's
# package installs, and prints its status and its message.
#
#   perl poppass.pl ROOT HOST PORT USER OLD NEW
#
# The program always connects to port 106; here, to PORT.
use strict;
use warnings;

my ($root, $host, $port, $user, $old, $new) = @ARGV;
open my $file, '<', "$root/usr/lib/cgi-bin/poppass" or die "poppass-cgi: $!";
my $program = do { local $/; <$file> };
my ($routine) = $program =~ /^(sub poppass\s*\{.*?^\})/ms or die "poppass-cgi has no such routine any more";
$routine =~ s/(PeerPort\s*=>\s*)106/$1$port/ or die "poppass-cgi names no port any more";

our ($DEBUG, $msg) = (0, '');
eval "no strict; no warnings; $routine" . '; print poppass($host, $user, $old, $new) ? 1 : 0; print "$msg\n"; 1' or die $@;
