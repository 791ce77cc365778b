//! Arguments → run → exit code.

use std::process::ExitCode;

/// A decision is many small allocations on two threads: under load the system's allocator took a fifth of the profile.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tollgate::cli::main()
}
