//! Yes or no, and neither: 没错 is yes, 为什么不呢 too, 我再想想 is none.

use super::Found;
use super::lex::{Kind, Piece, any_phrase, span};

/// Neither: he needs time, or asks back.
const UNDECIDED: [&str; 34] = [
    "再想想",
    "想一想",
    "想想",
    "考虑",
    "等一下",
    "等等",
    "等会",
    "稍等",
    "不知道",
    "不确定",
    "不清楚",
    "不好说",
    "不一定",
    "随便",
    "都行",
    "可能",
    "也许",
    "是不是",
    "要不要",
    "对不对",
    "能不能",
    "hold on",
    "wait",
    "not sure",
    "don't know",
    "do not know",
    "maybe",
    "perhaps",
    "let me think",
    "let me see",
    "one moment",
    "a second",
    "i guess not sure",
    "depends",
];
/// Yes, though a "no" is in it.
const YES_WITH_NO: [&str; 20] = [
    "没错",
    "没问题",
    "没毛病",
    "没意见",
    "为什么不",
    "干嘛不",
    "为啥不",
    "何乐而不为",
    "不错",
    "不是吗",
    "可不是",
    "差不多",
    "no problem",
    "no worries",
    "why not",
    "no doubt",
    "not a problem",
    "no objection",
    "wouldn't mind",
    "don't mind",
];
const NO: [&str; 47] = [
    "不",
    "没有",
    "没",
    "别",
    "算了",
    "错了",
    "错",
    "取消",
    "否",
    "拒绝",
    "免了",
    "no",
    "nope",
    "nah",
    "not",
    "never",
    "don't",
    "do not",
    "doesn't",
    "isn't",
    "wrong",
    "incorrect",
    "negative",
    "cancel",
    "neither",
    "nothing",
    "none",
    "uh uh",
    "nuh uh",
    "i don't think so",
    "no way",
    "forget it",
    "stop",
    "can't",
    "cannot",
    "won't",
    "wouldn't",
    "didn't",
    "hardly",
    "false",
    "disagree",
    "甭",
    "勿",
    "莫",
    "非",
    "未",
    "休想",
];
const YES: [&str; 68] = [
    "是",
    "对",
    "好",
    "行",
    "可以",
    "嗯",
    "恩",
    "要",
    "需要",
    "确认",
    "确定",
    "同意",
    "正确",
    "当然",
    "中",
    "成",
    "有",
    "想",
    "愿意",
    "就这样",
    "就是",
    "就这么",
    "欧了",
    "ok",
    "okay",
    "yes",
    "yeah",
    "yep",
    "yup",
    "yea",
    "ya",
    "sure",
    "right",
    "correct",
    "exactly",
    "of course",
    "certainly",
    "absolutely",
    "definitely",
    "uh huh",
    "mm hmm",
    "mhm",
    "please do",
    "yes please",
    "go ahead",
    "sounds good",
    "fine",
    "alright",
    "all right",
    "affirmative",
    "indeed",
    "agreed",
    "agree",
    "confirm",
    "confirmed",
    "true",
    "that's right",
    "you bet",
    "totally",
    "perfect",
    "great",
    "i do",
    "i would",
    "i am",
    "it is",
    "so be it",
    "do it",
    "好嘞",
];
/// What may stand before the word that decides.
const BEFORE: [&str; 34] = [
    "啊", "哦", "噢", "呃", "额", "那", "我", "这", "这个", "那个", "就", "应该", "都", "也", "还", "真", "的", "了", "um", "uh", "oh",
    "well", "i", "i'm", "so", "then", "that's", "that is", "it's", "it is", "think", "please", "hmm", "嘛",
];

/// Yes, no, or neither.
pub(super) fn find(pieces: &[Piece]) -> Option<Found> {
    let anywhere = |phrases: &[&str]| (0..pieces.len()).any(|i| any_phrase(pieces, i, phrases).is_some());
    let at = || span(pieces);
    if anywhere(&YES_WITH_NO) {
        return Some(Found::new("yes", at()));
    }
    // 不对不对 is no, though 对不对 is in it.
    let asks = |i: usize| any_phrase(pieces, i, &UNDECIDED).is_some() && (i == 0 || pieces[i - 1].text != "不");
    if (0..pieces.len()).any(asks) {
        return None;
    }
    let clauses = pieces.split(|piece| piece.kind == Kind::Mark);
    let mut verdict = None;
    for clause in clauses {
        match judge(clause) {
            // "嗯，不用了": the later no decides; a later yes does not undo a no.
            Some(false) => return Some(Found::new("no", at())),
            Some(true) => verdict = Some(true),
            None => {}
        }
    }
    verdict.map(|_| Found::new("yes", at()))
}

/// What a clause says, by its first deciding words.
fn judge(clause: &[Piece]) -> Option<bool> {
    let mut verdict = None;
    let mut i = 0;
    while i < clause.len() {
        let (no, yes) = (any_phrase(clause, i, &NO), any_phrase(clause, i, &YES));
        match (no, yes) {
            (Some(no), yes) if no >= yes.unwrap_or(0) => return Some(false),
            // Only a hum may be followed by its opposite: "嗯不用了", "ok no".
            (_, Some(n)) => {
                verdict = Some(true);
                i += n;
            }
            _ => match any_phrase(clause, i, &BEFORE) {
                Some(n) => i += n,
                None => break,
            },
        }
    }
    verdict
}
