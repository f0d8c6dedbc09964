//! Arbitrary bytes as a stream: however they are cut on the way, the same messages come out.
#![no_main]

use hotline_fuzz::control::sip::message::{Frame, MAX_BYTES, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, stream)) = input.split_first() else { return };
    let whole = cut(std::iter::once(stream));
    let pieces = cut(stream.chunks(usize::from(*first).max(1)));
    assert_eq!(whole, pieces);
});

/// The messages of a stream that comes in these pieces; reading ends where it cannot go on.
fn cut<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut buffer, mut messages) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match frame(&buffer) {
                Frame::Partial => break,
                Frame::Broken(why) => {
                    assert!(!why.is_empty());
                    return messages;
                }
                Frame::KeepAlive(length) => {
                    assert!(length > 0 && length <= buffer.len());
                    buffer.drain(..length);
                }
                Frame::Whole(length) => {
                    assert!(length > 0 && length <= buffer.len().min(MAX_BYTES));
                    messages.push(buffer.drain(..length).collect());
                }
            }
        }
    }
    messages
}
