//! Cards, identity numbers and secrets leave the text before anything stores it.

use std::ops::Range;

use super::slots::secrets::{self, Secret};

/// What a redacted value is replaced with, by kind.
const fn mask(secret: Secret) -> &'static str {
    match secret {
        Secret::Card => "[card]",
        Secret::Identity => "[id]",
        Secret::Pin => "[pin]",
    }
}

/// The text without cards, identity numbers, PINs, passwords and verification codes, written or spoken, zh or en.
pub fn redact(text: &str) -> String {
    let found = secrets::find(text);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (secret, at) in found {
        out.push_str(&text[from..at.start]);
        out.push_str(mask(secret));
        from = at.end;
    }
    out.push_str(&text[from..]);
    out
}

/// Where the secrets stand, in bytes, ascending.
pub fn secrets(text: &str) -> Vec<Range<usize>> {
    secrets::find(text).into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_taken_out_written_and_spoken() {
        assert_eq!(redact("卡号 4111 1111 1111 1111 谢谢"), "卡号 [card] 谢谢");
        assert_eq!(redact("卡号六二二二 零二一二 三四五六 七八九零 幺二三"), "卡号[card]");
        assert_eq!(redact("my card is four one one one one one one one one one one one one one one one ok"), "my card is [card] ok");
    }

    #[test]
    fn identity_numbers_and_secrets_are_taken_out() {
        assert_eq!(redact("身份证11010519491231002X"), "身份证[id]");
        assert_eq!(redact("身份证幺幺零幺零幺一九九零零三零七四五二叉"), "身份证[id]");
        assert_eq!(redact("my pin is zero zero four seven"), "my pin is [pin]");
        assert_eq!(redact("验证码是零零四二九六"), "验证码是[pin]");
        assert_eq!(redact("密码123456不要告诉别人"), "密码[pin]不要告诉别人");
        assert_eq!(redact("the cvv on the back is 737"), "the cvv on the back is [pin]");
    }

    #[test]
    fn other_numbers_stay() {
        for text in [
            "我的手机是13800138000",
            "订单号二零二六零三幺五零零八七",
            "京A12345出险了",
            "一共五千三百二十一块",
            "call me at 415 555 2671",
            "ticket 4567",
            "我忘了密码怎么办",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
