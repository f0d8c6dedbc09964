//! Lanes to a thread that waits for more than lanes: for sockets too. Whoever puts something into a lane rings, and the bell
//! makes a sound only when the thread sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam_channel::{SendError, Sender, TrySendError};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// One end of a bounded lane, with the bell of the thread at the other end.
#[derive(Debug)]
pub struct Inlet<T> {
    lane: Sender<T>,
    bell: Option<Bell>,
}

/// Wakes one thread.
#[derive(Debug, Clone)]
pub struct Bell(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sound: EventFd,
    asleep: AtomicBool,
}

impl Bell {
    /// A bell that nobody waits for yet.
    ///
    /// # Errors
    /// The process has too many open files.
    pub fn new() -> io::Result<Bell> {
        let sound = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Bell(Arc::new(Shared { sound, asleep: AtomicBool::new(false) })))
    }

    /// Wakes the thread if it sleeps.
    pub fn ring(&self) {
        // With the fence of `doze`: either the ringer sees the sleeper, or the sleeper sees what was put into the lane.
        fence(Ordering::SeqCst);
        if self.0.asleep.load(Ordering::Relaxed) && self.0.asleep.swap(false, Ordering::Relaxed) {
            // Fails only when it has been rung so often that the sleeper wakes anyway.
            let _ = self.0.sound.write(1);
        }
    }

    /// The waiting thread goes to sleep: from here on it is rung. It looks into its lanes once more before it does sleep.
    pub fn doze(&self) {
        self.0.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// It is awake: nobody need ring.
    pub fn rise(&self) {
        self.0.asleep.store(false, Ordering::Relaxed);
    }

    /// Silences a bell that was heard.
    pub fn silence(&self) {
        // Nothing to read means that it is silent.
        let _ = self.0.sound.read();
    }
}

/// What a poller watches for the sound.
impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.sound.as_fd()
    }
}

impl<T> Inlet<T> {
    /// A lane to the thread that this bell wakes.
    #[must_use]
    pub fn new(lane: Sender<T>, bell: &Bell) -> Inlet<T> {
        Inlet { lane, bell: Some(bell.clone()) }
    }

    /// Puts something in, if there is room.
    ///
    /// # Errors
    /// What was not put in: the lane is full, or its other end is gone.
    pub fn try_send(&self, what: T) -> Result<(), TrySendError<T>> {
        self.lane.try_send(what).inspect(|()| self.ring())
    }

    /// Puts something in, and waits for room.
    ///
    /// # Errors
    /// What was not put in: the other end is gone.
    pub fn send(&self, what: T) -> Result<(), SendError<T>> {
        self.lane.send(what).inspect(|()| self.ring())
    }

    /// What waits in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lane.len()
    }

    /// Does nothing wait in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lane.is_empty()
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }
}

/// To a thread that waits for the lane alone.
impl<T> From<Sender<T>> for Inlet<T> {
    fn from(lane: Sender<T>) -> Inlet<T> {
        Inlet { lane, bell: None }
    }
}

impl<T> Clone for Inlet<T> {
    fn clone(&self) -> Inlet<T> {
        Inlet { lane: self.lane.clone(), bell: self.bell.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use crossbeam_channel::bounded;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn sounds(bell: &Bell) -> bool {
        let mut fds = [PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn the_bell_sounds_for_a_sleeper_once_and_for_nobody_awake() {
        let (bell, (lane, out)) = (Bell::new().unwrap(), bounded(8));
        let inlet = Inlet::new(lane, &bell);
        inlet.send(1).unwrap();
        assert!(!sounds(&bell));
        bell.doze();
        inlet.send(2).unwrap();
        inlet.try_send(3).unwrap();
        assert!(sounds(&bell));
        bell.rise();
        bell.silence();
        assert!(!sounds(&bell));
        assert_eq!((inlet.len(), out.try_iter().collect::<Vec<_>>()), (3, vec![1, 2, 3]));
    }

    /// A lost ring would leave the sleeper asleep for good.
    #[test]
    fn no_ring_is_lost_between_the_last_look_and_sleep() {
        const ALL: u32 = 20_000;
        let (bell, (lane, out)) = (Bell::new().unwrap(), bounded(4));
        let inlet = Inlet::new(lane, &bell);
        let ringer = std::thread::spawn(move || (0..ALL).for_each(|number| inlet.send(number).unwrap()));
        let mut expected = 0;
        while expected < ALL {
            bell.doze();
            if out.is_empty() {
                poll(&mut [PollFd::new(bell.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
            }
            bell.rise();
            bell.silence();
            for number in out.try_iter() {
                assert_eq!(number, expected);
                expected += 1;
            }
        }
        ringer.join().unwrap();
    }
}
