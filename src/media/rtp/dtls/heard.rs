//! What a datagram of a handshake holds, as far as it is readable by everybody (RFC 6347 §4.1, §4.2.2).

use std::ops::Range;

const RECORD_HEAD: usize = 13;
const MESSAGE_HEAD: usize = 12;
const EPOCH: Range<usize> = 3..5;
const RECORD_LENGTH: Range<usize> = 11..13;
const MESSAGE_NUMBER: Range<usize> = 4..6;
const MESSAGE_LENGTH: Range<usize> = 1..4;
const FRAGMENT_OFFSET: Range<usize> = 6..9;
const FRAGMENT_LENGTH: Range<usize> = 9..12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The messages of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Heard {
    /// The highest number of a message that ends here.
    pub highest: Option<u16>,
    /// The highest number of one that came in parts, as the long first message of a browser does.
    parted: Option<u16>,
    /// There is a hello of a client in it: its number.
    pub hello: Option<u16>,
    /// There is something else than readable messages in it.
    mixed: bool,
}

impl Heard {
    /// Reads it; what cannot be read counts as something else.
    pub fn of(mut datagram: &[u8]) -> Heard {
        let mut heard = Heard::default();
        while !datagram.is_empty() {
            let length = datagram.get(RECORD_LENGTH).map_or(0, number);
            let Some(body) = datagram.get(RECORD_HEAD..RECORD_HEAD + length) else {
                heard.mixed = true;
                break;
            };
            if datagram[0] == HANDSHAKE && number(&datagram[EPOCH]) == 0 {
                heard.messages(body);
            } else {
                heard.mixed = true;
            }
            datagram = &datagram[RECORD_HEAD + length..];
        }
        heard
    }

    fn messages(&mut self, mut body: &[u8]) {
        while !body.is_empty() {
            let Some(head) = body.get(..MESSAGE_HEAD) else {
                self.mixed = true;
                return;
            };
            let message = u16::try_from(number(&head[MESSAGE_NUMBER])).unwrap_or(u16::MAX);
            let (offset, fragment) = (number(&head[FRAGMENT_OFFSET]), number(&head[FRAGMENT_LENGTH]));
            let whole = number(&head[MESSAGE_LENGTH]);
            if offset + fragment >= whole {
                self.highest = self.highest.max(Some(message));
            }
            if fragment < whole {
                self.parted = self.parted.max(Some(message));
            }
            if head[0] == CLIENT_HELLO {
                self.hello = Some(message);
            }
            body = body.get(MESSAGE_HEAD + fragment..).unwrap_or_default();
        }
    }

    /// Is it the beginning of a handshake?
    pub fn is_beginning(&self) -> bool {
        self.hello == Some(0)
    }

    /// Are there messages in it, and none of a higher number? Of one that came in parts another part may be missing still, until a later
    /// one was of use.
    pub fn is_all_up_to(&self, most: u16) -> bool {
        !self.mixed && self.highest.is_some_and(|highest| highest <= most) && self.parted.is_none_or(|parted| parted < most)
    }
}

/// A number in network order; at most three bytes long here.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 9][..], &length, body].concat()
    }

    fn message(kind: u8, sequence: u8, fragment: &[u8]) -> Vec<u8> {
        let length = u8::try_from(fragment.len()).unwrap();
        [&[kind, 0, 0, length, 0, sequence, 0, 0, 0, 0, 0, length][..], fragment].concat()
    }

    #[test]
    fn messages_are_found_in_records_and_datagrams() {
        let hello = Heard::of(&record(22, 0, &message(1, 0, &[7; 5])));
        assert!(hello.is_beginning() && hello.is_all_up_to(0));
        let two = Heard::of(&record(22, 0, &[message(2, 1, &[1, 2]), message(11, 2, &[])].concat()));
        assert!(two == Heard { highest: Some(2), ..Heard::default() } && !two.is_all_up_to(1) && two.is_all_up_to(2));
        let more = [record(22, 0, &message(11, 5, &[1])), record(20, 0, &[1]), record(22, 1, &[9; 40])].concat();
        assert_eq!(Heard::of(&more), Heard { highest: Some(5), mixed: true, ..Heard::default() });
    }

    #[test]
    fn s37_a_part_of_a_message_is_old_only_when_a_later_message_was_of_use() {
        let part = |offset: u8| record(22, 0, &[&[1, 0, 0, 9, 0, 1, 0, 0, offset, 0, 0, 5][..], &[7; 5]].concat());
        for (offset, highest) in [(0, None), (4, Some(1))] {
            let heard = Heard::of(&part(offset));
            assert_eq!((heard.highest, heard.hello, heard.is_all_up_to(1)), (highest, Some(1), false));
            assert_eq!(heard.is_all_up_to(2), highest.is_some());
        }
    }

    #[test]
    fn what_is_cut_or_foreign_is_never_an_old_message() {
        let whole = record(22, 0, &message(1, 0, &[7; 5]));
        for length in 1..whole.len() {
            assert!(!Heard::of(&whole[..length]).is_all_up_to(u16::MAX), "{length}");
        }
        assert!(!Heard::of(&record(23, 0, &[1])).is_all_up_to(u16::MAX) && !Heard::of(&[]).is_all_up_to(u16::MAX));
        assert!(!Heard::of(&record(22, 0, &[1; 11])).is_all_up_to(u16::MAX));
    }
}
