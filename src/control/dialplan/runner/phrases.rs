//! What the runner itself says where the plan is silent, in Chinese and English.

use crate::control::words::Lang;

/// A ready phrase; `{}` stands for a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phrase {
    /// Before a question is put again.
    Pardon,
    /// The choices by their labels.
    YouMaySay,
    /// One choice by its key: label, key.
    PressFor,
    /// "Did you mean …?"
    DidYouMean,
    /// "Did you mean …, or …?"
    WhichOfThese,
    /// The second wish of the same breath.
    AlsoWanted,
    /// Reads a value back.
    IsItRight,
    /// A value of the wrong form: what is wanted.
    WantedLength,
    /// A value that cannot be.
    NotValid,
    /// Yes or no, or keys.
    SayYesOrNo,
    /// Keys for an answer.
    UseKeys,
    /// While a lookup runs.
    OneMoment,
    /// The question of the satisfaction survey.
    Survey,
    /// Thanks for an answer to it.
    Thanks,
    /// Before the tone.
    LeaveMessage,
    /// A chat's form.
    WriteMessage,
    /// Asks for a phone number to call back.
    AskPhone,
    /// Out of hours, with the hours.
    Bulletin,
    /// A callback is promised.
    WillCall,
    /// Nobody can be reached.
    Sorry,
    /// What a person is called among choices.
    Person,
    /// On the way to a person after a failure.
    ToPerson,
    /// No row of a table says it.
    NotSure,
    /// Shall a person answer?
    OfferPerson,
    /// Several things that were found.
    OfferItems,
    /// One thing that was found.
    OfferOne,
    /// A person goes on.
    GetPerson,
}

/// Those without a value: they can be made before they are wanted.
pub const FIXED: [Phrase; 15] = [
    Phrase::Pardon,
    Phrase::NotValid,
    Phrase::SayYesOrNo,
    Phrase::UseKeys,
    Phrase::OneMoment,
    Phrase::Survey,
    Phrase::Thanks,
    Phrase::LeaveMessage,
    Phrase::AskPhone,
    Phrase::WillCall,
    Phrase::Sorry,
    Phrase::ToPerson,
    Phrase::NotSure,
    Phrase::OfferPerson,
    Phrase::GetPerson,
];

/// The phrase in a language: Chinese, or else English.
#[must_use]
pub fn phrase(phrase: Phrase, lang: &Lang) -> &'static str {
    let (zh, en) = both(phrase);
    if lang.speech() == "zh" { zh } else { en }
}

/// The phrase with its values in place.
#[must_use]
pub fn filled(which: Phrase, lang: &Lang, values: &[&str]) -> String {
    let mut pieces = phrase(which, lang).split("{}");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (at, piece) in pieces.enumerate() {
        text.push_str(values.get(at).copied().unwrap_or_default());
        text.push_str(piece);
    }
    text
}

fn both(phrase: Phrase) -> (&'static str, &'static str) {
    match phrase {
        Phrase::Pardon => ("抱歉，我没有听清。", "Sorry, I did not get that."),
        Phrase::YouMaySay => ("您可以说：{}。", "You can say: {}."),
        Phrase::PressFor => ("{}请按{}。", "For {}, press {}."),
        Phrase::DidYouMean => ("您是要{}吗？", "Did you mean {}?"),
        Phrase::WhichOfThese => ("您是要{}？", "Which one: {}?"),
        Phrase::AlsoWanted => ("您刚才还提到{}，现在要办理吗？", "You also mentioned {}. Shall we do that now?"),
        Phrase::IsItRight => ("我听到的是{}，对吗？", "I have {}. Is that right?"),
        Phrase::WantedLength => ("这里需要{}位。", "It has {} digits."),
        Phrase::NotValid => ("这个不对。", "That cannot be right."),
        Phrase::SayYesOrNo => ("请说是或不是，也可以按1表示是，按2表示不是。", "Please say yes or no, or press 1 for yes and 2 for no."),
        Phrase::UseKeys => ("请用按键输入，按井号结束。", "Please use the keys and end with pound."),
        Phrase::OneMoment => ("请稍等，正在为您查询。", "One moment, please."),
        Phrase::Survey => ("请为本次服务打分，满意请按5，不满意请按1。", "Please rate this service from 1 to 5, with 5 for very good."),
        Phrase::Thanks => ("谢谢您的评价。", "Thank you."),
        Phrase::LeaveMessage => ("请在提示音后留言，说完按井号。", "Please leave a message after the tone, then press pound."),
        Phrase::WriteMessage => ("请写下您的问题，我们会回复您。", "Please write your question; we will answer."),
        Phrase::AskPhone => ("请说或按键输入您的联系电话。", "Which phone number can we reach you at?"),
        Phrase::Bulletin => ("现在是非服务时间，服务时间是{}。", "We are closed now. Our hours are {}."),
        Phrase::WillCall => ("好的，我们会尽快给您回电，再见。", "We will call you back as soon as we can. Goodbye."),
        Phrase::Sorry => ("很抱歉，现在无法为您接通，请稍后再拨。", "We are sorry, nobody can take your call now. Please try again later."),
        Phrase::Person => ("人工服务", "a person"),
        Phrase::NotSure => ("这种情况我不确定。", "I am not sure about that."),
        Phrase::OfferPerson => ("需要为您转人工吗？", "Shall I get you a person?"),
        Phrase::OfferItems => ("为您找到：{}。您要哪一个？", "I found: {}. Which one would you like?"),
        Phrase::OfferOne => ("为您找到{}，要这个吗？", "I found {}. Would you like that?"),
        Phrase::GetPerson => ("好的，我请同事来接着为您服务。", "Thank you. A colleague will go on from here."),
        Phrase::ToPerson => ("抱歉，暂时查不到，我为您转人工。", "Sorry, I cannot find that right now. Let me get you a person."),
    }
}
