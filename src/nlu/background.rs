//! Sentences that belong to no hotline: what people say on the way, to others in the room, or to test the robot.
//! They are negatives of every intent and teach the calibration what "none of these" looks like.

const SENTENCES: &str = include_str!("data/background.txt");

/// All of them, zh and en.
pub fn sentences() -> impl Iterator<Item = &'static str> {
    SENTENCES.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}
