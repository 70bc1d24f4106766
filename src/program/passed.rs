#![expect(unsafe_code, reason = "descriptors that are known by their numbers alone")]

//! Sockets that systemd has opened for this process.

use std::os::fd::{FromRawFd, OwnedFd};

use keyturn::shard::Passed;

use super::failure::Failure;

/// Takes the sockets that were passed to this process with their names (sd_listen_fds(3)): none where
/// nobody did. Called once, before any other descriptor is opened, which might have one of the numbers.
///
/// # Errors
/// The variables that tell of them are wrong, or there are fewer than they say.
pub(crate) fn passed() -> Result<Vec<Passed>, Failure> {
    let listed = sd_notify::listen_fds_with_names()
        .map_err(|fault| Failure::failed(format_args!("the sockets that systemd passes cannot be used: {fault}")))?;
    let own = |(number, name)| {
        // SAFETY: the descriptor is open, for it has just been marked; it is meant for this process,
        // whose number is in LISTEN_PID; and nobody owns it yet, because this is called once.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        Passed { name, socket }
    };
    Ok(listed.map(own).collect())
}
