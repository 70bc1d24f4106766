//! The `keyturn` program.

use std::process::ExitCode;

mod program;

/// Sessions come and go by the thousand on threads that never share them: mimalloc keeps a heap
/// per thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    program::run()
}
