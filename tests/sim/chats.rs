//! Chat customers: lines, some sent twice, some with the phone number of a caller.

use hotline::control::random::Random;
use hotline::control::words::CommandId;
use hotline::control::words::chat::{Content, Received};
use hotline::nlu::Meanings;

/// One chat customer.
#[derive(Debug)]
pub struct Chatter {
    number: usize,
    lines: u64,
    phone: Option<String>,
}

const WORDS: [&str; 6] = ["1", "我要报保险", "转人工", "查一下订单", "12345", "谢谢"];

impl Chatter {
    /// A customer; one in three tells his phone number.
    pub fn new(number: usize, random: &mut Random) -> Chatter {
        let phone = (random.below(3) == 0).then(|| format!("1380000{:04}", random.below(120)));
        Chatter { number, lines: 0, phone }
    }

    /// His next line.
    pub fn line(&mut self, command: CommandId, random: &mut Random) -> Received {
        self.lines += 1;
        let text = WORDS[usize::try_from(random.below(WORDS.len() as u64)).expect("small")].to_owned();
        Received {
            command,
            channel: "web".to_owned(),
            external_id: format!("{}-{}", self.number, self.lines),
            address: format!("visitor-{}", self.number),
            content: Content::Text { text },
            meanings: Meanings::default(),
            profile: self.phone.iter().map(|phone| ("phone".to_owned(), phone.clone().into())).collect(),
        }
    }
}
