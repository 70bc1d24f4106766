//! The `keyturn` program.

use std::process::ExitCode;

mod program;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Sessions come and go by the thousand on threads that never share them: mimalloc keeps a heap
/// per thread. What is given back is overwritten, for other people's code (TLS, the store) does not
/// know which of its buffers held a password.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    program::run()
}
