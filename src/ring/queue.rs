#![expect(unsafe_code, reason = "the kernel reads and writes memory named in operations")]

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};
use rustix::io::Errno;
use rustix::thread::{NanosleepRelativeResult, nanosleep};

use super::{Buffer, Incoming, Key, OutId, Outgoing, RingSize, Waker};

/// What an operation was, in the top byte of its user data.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Operation {
    Accept = 1,
    ReceiveOnce,
    ReceiveMany,
    Send,
    Close,
    Wake,
    /// Cancellations and everything about refused connections: nobody waits for them.
    Silent,
}

impl Operation {
    fn user_data(self, key: Key) -> u64 {
        u64::from(self as u8) << 56 | key.to_bits()
    }

    fn of(user_data: u64) -> Self {
        match user_data >> 56 {
            1 => Self::Accept,
            2 => Self::ReceiveOnce,
            3 => Self::ReceiveMany,
            4 => Self::Send,
            5 => Self::Close,
            6 => Self::Wake,
            _ => Self::Silent,
        }
    }
}

/// What became of an operation.
#[derive(Debug)]
pub enum Completion {
    /// A connection arrived on the listener whose key this is, or accepting failed.
    Accepted {
        /// The listener's key.
        key: Key,
        /// The new connection.
        result: io::Result<OwnedFd>,
        /// Whether more will follow; if not, [`Queue::accept`] must be called again.
        armed: bool,
    },
    /// A receive ended, or one of many did.
    Received {
        /// The session's key.
        key: Key,
        /// What came.
        result: Received,
        /// Whether more will follow; if not, nothing is being received any longer.
        armed: bool,
    },
    /// A send ended.
    Sent {
        /// The session's key.
        key: Key,
        /// How many bytes were taken.
        result: io::Result<usize>,
    },
    /// The connection is closed.
    Closed {
        /// The session's key.
        key: Key,
    },
    /// A [`Waker`] was used; it must be listened to again.
    Woken,
}

/// What a receive brought.
#[derive(Debug)]
pub enum Received {
    /// Bytes.
    Data(Buffer),
    /// The peer sends no more.
    End,
    /// All receive buffers were in use: try again when they have been given back.
    NoBuffer,
    /// The receive was cancelled, as asked.
    Cancelled,
    /// The connection is broken.
    Broken(io::Error),
}

/// How long a turn may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: there is work to do.
    No,
    /// Until something completes, but no longer than this.
    AtMost(Duration),
    /// For so long, whatever completes: to reap many together costs each of them less. Not at all when
    /// the last turn has left some behind.
    Gather(Duration),
    /// Until something completes.
    Forever,
}

/// Connections are not inherited by child processes.
const ACCEPT_FLAGS: i32 = libc_flags(rustix::net::SocketFlags::CLOEXEC.bits());

/// The whole of it, retried in the kernel; a peer that is gone is an error, not a signal.
const SEND_FLAGS: i32 = libc_flags(rustix::net::SendFlags::NOSIGNAL.bits() | rustix::net::RecvFlags::WAITALL.bits());

const fn libc_flags(bits: u32) -> i32 {
    bits.cast_signed()
}

/// What a ring is made with that some kernels do not know; everything works without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The submission queue has no index array (IORING_SETUP_NO_SQARRAY, since Linux 6.6).
    pub no_sqarray: bool,
    /// The kernel works for the ring only when it is entered (IORING_SETUP_DEFER_TASKRUN, since
    /// Linux 6.1).
    pub defer_taskrun: bool,
}

impl Setup {
    /// The best one first.
    pub(super) const ALL: [Self; 3] = [
        Self { no_sqarray: true, defer_taskrun: true },
        Self { no_sqarray: false, defer_taskrun: true },
        Self { no_sqarray: false, defer_taskrun: false },
    ];
}

/// The submission and completion queues.
pub struct Queue {
    ring: IoUring,
    setup: Setup,
    /// Whether the descriptor is registered, which saves a look-up per turn.
    has_registered_fd: bool,
    in_flight: usize,
    /// Turns that found more completions than the queue has places for.
    overflows: u64,
    completions_per_turn_max: usize,
    /// The last turn brought as many as it may, so there may be more.
    is_behind: bool,
    /// Completions reaped out of turn, to make room.
    reaped: Vec<Completion>,
    /// Where the kernel writes the eventfd's counter.
    wake_counter: Box<u64>,
}

impl Queue {
    pub(super) fn new(size: RingSize) -> io::Result<Self> {
        Self::with_setups(size, &Setup::ALL)
    }

    /// Asks for the first of `setups`, and for the next where the kernel does not know a flag of
    /// it (EINVAL).
    pub(super) fn with_setups(size: RingSize, setups: &[Setup]) -> io::Result<Self> {
        let (setup, ring) = first_known(setups, |setup| Self::build(size.operations, setup))?;
        let has_registered_fd = ring.submitter().register_ring_fd().is_ok();
        Ok(Self {
            ring,
            setup,
            has_registered_fd,
            in_flight: 0,
            overflows: 0,
            completions_per_turn_max: size.completions_per_turn_max,
            is_behind: false,
            reaped: Vec::new(),
            wake_counter: Box::new(0),
        })
    }

    /// The other flags are as old as the oldest kernel that is served.
    fn build(operations: u32, setup: Setup) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_clamp().setup_cqsize(operations * 4).setup_submit_all();
        builder.setup_single_issuer().setup_coop_taskrun();
        if setup.defer_taskrun {
            builder.setup_defer_taskrun();
        } else {
            builder.setup_taskrun_flag();
        }
        if setup.no_sqarray {
            builder.setup_no_sqarray();
        }
        builder.build(operations)
    }

    pub(super) fn setup(&self) -> Setup {
        self.setup
    }

    pub(super) fn has_registered_fd(&self) -> bool {
        self.has_registered_fd
    }

    /// Registers a ring of provided buffers that was just mapped for it.
    pub(super) fn register_buffers(&self, address: u64, count: u16, group: u16) -> io::Result<()> {
        // SAFETY: `Incoming` keeps the mapping until after this queue is gone, or for ever.
        unsafe { self.ring.submitter().register_buf_ring_with_flags(address, count, group, 0) }
    }

    /// Operations whose last completion has not been reaped.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Accepts connections from `listener` until told otherwise.
    pub fn accept(&mut self, listener: BorrowedFd<'_>, key: Key) {
        let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(ACCEPT_FLAGS).build();
        self.push([accept.user_data(Operation::Accept.user_data(key))]);
    }

    /// Stops accepting for the listener of that key.
    pub fn cancel_accept(&mut self, key: Key) {
        self.cancel(Operation::Accept, key);
    }

    /// Receives once, into whichever buffer is free when data comes. Cheaper to end than
    /// [`Queue::receive_many`]: nothing is armed when the connection is to be closed.
    pub fn receive_once(&mut self, connection: BorrowedFd<'_>, key: Key) {
        let receive =
            opcode::Recv::new(Fd(connection.as_raw_fd()), std::ptr::null_mut(), Incoming::BUFFER_BYTES as u32)
                .buf_group(Incoming::GROUP)
                .build()
                .flags(Flags::BUFFER_SELECT);
        self.push([receive.user_data(Operation::ReceiveOnce.user_data(key))]);
    }

    /// Receives again and again. Cheaper per message than [`Queue::receive_once`].
    pub fn receive_many(&mut self, connection: BorrowedFd<'_>, key: Key) {
        let receive = opcode::RecvMulti::new(Fd(connection.as_raw_fd()), Incoming::GROUP).build();
        self.push([receive.user_data(Operation::ReceiveMany.user_data(key))]);
    }

    /// Ends what [`Queue::receive_once`] or [`Queue::receive_many`] began; data may still come
    /// before the last completion.
    pub fn cancel_receive(&mut self, key: Key) {
        self.cancel(Operation::ReceiveOnce, key);
        self.cancel(Operation::ReceiveMany, key);
    }

    /// Sends bytes `start..end` of a send buffer.
    pub fn send(&mut self, connection: BorrowedFd<'_>, key: Key, out: &Outgoing, id: OutId, start: usize, end: usize) {
        let send = Self::send_entry(connection, out.read(id, start, end));
        self.push([send.user_data(Operation::Send.user_data(key))]);
    }

    /// Sends, then closes the connection whatever became of the send. No receive may be armed.
    pub fn send_then_close(
        &mut self,
        connection: OwnedFd,
        key: Key,
        out: &Outgoing,
        id: OutId,
        start: usize,
        end: usize,
    ) {
        let send = Self::send_entry(connection.as_fd(), out.read(id, start, end));
        let close = opcode::Close::new(Fd(connection.into_raw_fd())).build();
        self.push([
            send.flags(Flags::IO_HARDLINK).user_data(Operation::Send.user_data(key)),
            close.user_data(Operation::Close.user_data(key)),
        ]);
    }

    /// Gives up the send in flight; its completion tells how far it came.
    pub fn cancel_send(&mut self, key: Key) {
        self.cancel(Operation::Send, key);
    }

    /// Closes the connection. Neither a receive nor a send may be in flight.
    pub fn close(&mut self, connection: OwnedFd, key: Key) {
        let close = opcode::Close::new(Fd(connection.into_raw_fd())).build();
        self.push([close.user_data(Operation::Close.user_data(key))]);
    }

    /// Sends a line to a connection that will have no session, and closes it. Nobody waits for
    /// the outcome. The buffer part must stay as it is for the life of the ring.
    pub fn refuse(&mut self, connection: OwnedFd, out: &Outgoing, id: OutId, start: usize, end: usize) {
        let nobody = Operation::Silent.user_data(Key::new(0, 0));
        let send = Self::send_entry(connection.as_fd(), out.read(id, start, end));
        let close = opcode::Close::new(Fd(connection.into_raw_fd())).build();
        self.push([send.flags(Flags::IO_HARDLINK).user_data(nobody), close.user_data(nobody)]);
    }

    /// Lets the next use of `waker` complete as [`Completion::Woken`]. The waker must outlive the
    /// ring.
    pub fn listen(&mut self, waker: &Waker) {
        let counter: *mut u64 = &raw mut *self.wake_counter;
        let read = opcode::Read::new(Fd(waker.as_fd().as_raw_fd()), counter.cast(), size_of::<u64>() as u32).build();
        self.push([read.user_data(Operation::Wake.user_data(Key::new(0, 0)))]);
    }

    /// Gives up listening for wakers, so that the ring can come to rest.
    pub fn cancel_listen(&mut self) {
        self.cancel(Operation::Wake, Key::new(0, 0));
    }

    fn send_entry(connection: BorrowedFd<'_>, bytes: &[u8]) -> Entry {
        opcode::Send::new(Fd(connection.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32).flags(SEND_FLAGS).build()
    }

    fn cancel(&mut self, operation: Operation, key: Key) {
        let cancel = opcode::AsyncCancel::new(operation.user_data(key)).build();
        self.push([cancel.user_data(Operation::Silent.user_data(key))]);
    }

    /// Queues entries that belong together: a link must not straddle two submissions.
    fn push<const N: usize>(&mut self, entries: [Entry; N]) {
        let room = {
            let submissions = self.ring.submission();
            submissions.capacity() - submissions.len()
        };
        // Submitting frees every place. It fails while the completion queue overflows or memory
        // is short, and either is helped by reaping.
        if room < N {
            while self.ring.submit().is_err() {
                let mut reaped = mem::take(&mut self.reaped);
                self.reap(&mut reaped);
                self.reaped = reaped;
            }
        }
        // SAFETY: every address in an entry points into `Incoming`, `Outgoing` or this queue's
        // box, which are kept until `in_flight` is zero, or for ever; every descriptor is open
        // until the operation has been submitted, because only this queue closes connections.
        let pushed = unsafe { self.ring.submission().push_multiple(&entries) };
        assert!(pushed.is_ok(), "room was made");
        self.in_flight += N;
    }

    /// Submits, sleeps as long as `wait` allows, and reaps into `into`.
    pub(super) fn turn(&mut self, wait: Wait, into: &mut Vec<Completion>) -> io::Result<()> {
        let (time, count) = match wait {
            Wait::Gather(time) => {
                if !self.is_behind {
                    self.submit_and_sleep(time)?;
                }
                // The kernel does the work of twenty operations, or of as many as are asked for: what
                // is left over would wait for the next turn.
                (Some(Timespec::new()), self.completions_per_turn_max)
            }
            Wait::No => (Some(Timespec::new()), 1),
            Wait::AtMost(time) => (Some(Timespec::from(time)), 1),
            Wait::Forever => (None, 1),
        };
        let arguments = SubmitArgs::new();
        let arguments = match &time {
            Some(time) => arguments.timespec(time),
            None => arguments,
        };
        // Waiting for one completion, even with no time to wait, is what lets the kernel run
        // deferred task work (IORING_ENTER_GETEVENTS).
        bear(self.ring.submitter().submit_with_args(count, &arguments))?;
        if self.ring.submission().cq_overflow() {
            self.overflows += 1;
        }
        into.append(&mut self.reaped);
        self.reap(into);
        Ok(())
    }

    /// Sleeps outside of the ring: in it, some completions wake whoever waits for more of them.
    fn submit_and_sleep(&mut self, time: Duration) -> io::Result<()> {
        bear(self.ring.submitter().submit())?;
        let time = rustix::time::Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        match nanosleep(&time) {
            // A signal may well cut it short.
            NanosleepRelativeResult::Ok | NanosleepRelativeResult::Interrupted(_) => Ok(()),
            NanosleepRelativeResult::Err(errno) => Err(errno.into()),
        }
    }

    fn reap(&mut self, into: &mut Vec<Completion>) {
        let mut count = 0;
        for entry in self.ring.completion().take(self.completions_per_turn_max) {
            count += 1;
            if !cqueue::more(entry.flags()) {
                self.in_flight -= 1;
            }
            into.extend(read_completion(&entry));
        }
        self.is_behind = count == self.completions_per_turn_max;
    }
}

/// Takes what the kernel says of being entered for success, unless the ring is of no use any more.
fn bear(entered: io::Result<usize>) -> io::Result<()> {
    match entered.as_ref().map_err(Errno::from_io_error) {
        // The time has passed; a signal came; the completion queue overflows and has to be reaped
        // first; the kernel is short of memory for the moment.
        Ok(_) | Err(Some(Errno::TIME | Errno::INTR | Errno::BUSY | Errno::AGAIN)) => Ok(()),
        Err(_) => entered.map(drop),
    }
}

/// What is made from the first of `setups` of which the kernel knows every flag.
fn first_known<T>(setups: &[Setup], make: impl Fn(Setup) -> io::Result<T>) -> io::Result<(Setup, T)> {
    let mut refused = io::Error::from(io::ErrorKind::Unsupported);
    for &setup in setups {
        match make(setup) {
            Err(fault) if Errno::from_io_error(&fault) == Some(Errno::INVAL) => refused = fault,
            outcome => return outcome.map(|made| (setup, made)),
        }
    }
    Err(refused)
}

/// Reads one entry of the completion queue. `None`: nobody waits for it.
fn read_completion(entry: &cqueue::Entry) -> Option<Completion> {
    let key = Key::from_bits(entry.user_data());
    let armed = cqueue::more(entry.flags());
    let result = match entry.result() {
        fault @ ..0 => Err(io::Error::from_raw_os_error(-fault)),
        value => Ok(value),
    };
    let completion = match Operation::of(entry.user_data()) {
        Operation::Accept => {
            // SAFETY: the kernel has just made this descriptor for us.
            let result = result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
            Completion::Accepted { key, result, armed }
        }
        Operation::ReceiveOnce | Operation::ReceiveMany => {
            Completion::Received { key, result: received(result, entry.flags()), armed }
        }
        Operation::Send => Completion::Sent { key, result: result.map(i32::unsigned_abs).map(|bytes| bytes as usize) },
        Operation::Close => Completion::Closed { key },
        Operation::Wake => Completion::Woken,
        Operation::Silent => return None,
    };
    Some(completion)
}

fn received(result: io::Result<i32>, flags: u32) -> Received {
    match (result, cqueue::buffer_select(flags)) {
        (Ok(0), None) => Received::End,
        // Some kernels attach an empty buffer to the end of the stream; it is given back as data
        // of no bytes, and the end follows at the next receive.
        (Ok(bytes), Some(id)) => Received::Data(Buffer::new(id, bytes.unsigned_abs())),
        (Ok(_), None) => Received::Broken(io::ErrorKind::InvalidData.into()),
        (Err(fault), _) => match Errno::from_io_error(&fault) {
            Some(Errno::NOBUFS) => Received::NoBuffer,
            Some(Errno::CANCELED) => Received::Cancelled,
            _ => Received::Broken(fault),
        },
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({} operations in flight)", self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_given_up_one_after_the_other_and_for_no_other_fault() {
        let on_kernel_without = |is_known: fn(Setup) -> bool| {
            first_known(&Setup::ALL, |setup| if is_known(setup) { Ok(()) } else { Err(Errno::INVAL.into()) })
        };
        assert_eq!(on_kernel_without(|_| true).unwrap().0, Setup { no_sqarray: true, defer_taskrun: true });
        let without_no_sqarray = on_kernel_without(|setup| !setup.no_sqarray);
        assert_eq!(without_no_sqarray.unwrap().0, Setup { no_sqarray: false, defer_taskrun: true });
        let without_either = on_kernel_without(|setup| !setup.no_sqarray && !setup.defer_taskrun);
        assert_eq!(without_either.unwrap().0, Setup { no_sqarray: false, defer_taskrun: false });
        assert_eq!(Errno::from_io_error(&on_kernel_without(|_| false).unwrap_err()), Some(Errno::INVAL));
        let forbidden =
            first_known(&Setup::ALL, |setup| if setup.no_sqarray { Err(Errno::PERM.into()) } else { Ok(()) });
        assert_eq!(Errno::from_io_error(&forbidden.unwrap_err()), Some(Errno::PERM));
    }
}
