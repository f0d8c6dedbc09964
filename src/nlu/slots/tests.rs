//! Own cases of each grammar, and the shared file of spoken forms.

use jiff::civil::date;

use super::*;

fn context(lang: &str) -> Context<'_> {
    Context { now: date(2026, 3, 18).at(10, 0, 0, 0), lang, currency: None }
}

fn text(kind: Kind, said: &str, lang: &str) -> String {
    find(kind, said, &context(lang)).map_or_else(|_| "NONE".to_owned(), |found| found.text)
}

/// What the file's type column asks for.
fn kinds(name: &str) -> Option<Kind> {
    Some(match name {
        "phone" => Kind::Phone,
        "digits" => Kind::Code,
        "number" => Kind::Number,
        "money" => Kind::Money,
        "datetime" => Kind::Date,
        "yesno" => Kind::YesNo,
        "name" => Kind::Name,
        "duration" => Kind::Duration,
        "email" => Kind::Email,
        "choice" => Kind::Choice,
        _ => return None,
    })
}

#[test]
fn the_shared_spoken_forms_are_read_at_least_95_percent_exact() {
    let shared = std::env::var("HOTLINE_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let path = std::path::Path::new(&shared).join("data/nlu/slots.tsv");
    let Ok(file) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: {} is missing; set HOTLINE_SHARED", path.display());
        return;
    };
    let (mut right, mut all) = (0, 0);
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let kind = kinds(fields[2]).expect("a known type");
        let lang = if fields[1] == "en" { "en" } else { "zh" };
        let got = text(kind, fields[3], lang);
        all += 1;
        right += usize::from(got == fields[4]);
        if got != fields[4] {
            println!("{} {:?}: {} is not {}", fields[0], fields[3], got, fields[4]);
        }
    }
    println!("{right} of {all}");
    assert!(right * 100 >= all * 95, "{right} of {all}");
}

fn all(kind: Kind, lang: &str, cases: &[(&str, &str)]) {
    for (said, expected) in cases {
        assert_eq!(text(kind, said, lang), *expected, "{said}");
    }
}

#[test]
fn phones_are_read_in_groups_with_repeats_and_corrections() {
    all(
        Kind::Phone,
        "zh",
        &[
            ("嗯我的手机号是 幺八九 零零幺幺 二二三三", "18900112233"),
            ("138-0013-8000", "13800138000"),
            ("一三七四个五零零幺", "NONE"),
            ("一三七四个五零零幺二", "13755550012"),
            ("幺三六零零零零幺二三四不对是四三二幺", "13600004321"),
            ("打这个号码就行", "CALLER_ID"),
            ("五七一零", "NONE"),
            ("我没有电话", "NONE"),
        ],
    );
    all(
        Kind::Phone,
        "en",
        &[("six five oh, two five three, double zero double one", "6502530011"), ("you can use the number i'm calling from", "CALLER_ID")],
    );
}

#[test]
fn numbers_with_a_check_digit_are_checked() {
    all(
        Kind::Card,
        "en",
        &[("four one one one one one one one one one one one one one one one", "4111111111111111"), ("4111 1111 1111 1112", "NONE")],
    );
    all(Kind::Identity, "zh", &[("幺幺零幺零五一九四九一二三一零零二叉", "11010519491231002X"), ("110105194912310021", "NONE")]);
}

#[test]
fn plates_are_read_with_spoken_letters_and_provinces_that_sound_alike() {
    all(
        Kind::Plate,
        "zh",
        &[
            ("京A12345", "京A12345"),
            ("京A幺二三四五", "京A12345"),
            ("我的车牌是粤B八八八A六", "粤B888A6"),
            ("惊A 一二三四五", "京A12345"),
            ("车牌号苏E D一二三四五", "苏ED12345"),
            ("京A123", "NONE"),
            ("新的车还没上牌", "NONE"),
            ("不用", "NONE"),
        ],
    );
}

#[test]
fn digits_of_a_wanted_length() {
    let seven = Kind::Digits { min: 6, max: 8 };
    all(
        seven,
        "zh",
        &[
            ("一二三四五六七", "1234567"),
            ("我的编号是一二三四五六七", "1234567"),
            ("一二三", "NONE"),
            ("1234567", "1234567"),
            ("不知道", "NONE"),
        ],
    );
    all(Kind::Digits { min: 10, max: 10 }, "zh", &[("查一下 1234567890", "1234567890"), ("一二三四五六七八九零", "1234567890")]);
    all(
        Kind::Digits { min: 4, max: 4 },
        "en",
        &[("it's ten sixty six", "1066"), ("double oh seven four", "0074"), ("one two three no one two three four", "1234")],
    );
}

#[test]
fn sums_of_all_sorts() {
    all(
        Kind::Money,
        "zh",
        &[
            ("大概三千五百块钱", "3500 CNY"),
            ("两毛五", "0.25 CNY"),
            ("十二块八", "12.8 CNY"),
            ("¥99.5", "99.5 CNY"),
            ("两万五", "25000 CNY"),
            ("一百零三元", "103 CNY"),
            ("没有", "NONE"),
        ],
    );
    all(
        Kind::Money,
        "en",
        &[
            ("about forty bucks", "40 USD"),
            ("a hundred and twenty pounds", "120 GBP"),
            ("$1,250.75", "1250.75 USD"),
            ("nineteen ninety five", "19.95 USD"),
            ("one euro fifty cents", "1.5 EUR"),
        ],
    );
}

#[test]
fn dates_and_times_of_all_sorts() {
    all(
        Kind::Date,
        "zh",
        &[
            ("大后天下午两点一刻", "2026-03-21T14:15"),
            ("这个月二十号", "2026-03-20"),
            ("二月三号", "2027-02-03"),
            ("下周末", "2026-03-28/2026-03-29"),
            ("三天以后", "2026-03-21"),
            ("下午三点到五点", "2026-03-18T15:00/2026-03-18T17:00"),
            ("明天晚上", "2026-03-19T18:00/2026-03-19T22:00"),
            ("国庆节", "2026-10-01"),
            ("中秋", "2026-09-25"),
            ("早上八点十分", "2026-03-19T08:10"),
            ("2026-04-01 15:30", "2026-04-01T15:30"),
            ("上个月三号", "2026-02-03"),
            ("星期天上午", "2026-03-22T06:00/2026-03-22T12:00"),
            ("十五分钟后", "2026-03-18T10:15"),
            ("明年吧", "NONE"),
            ("我想约个时间", "NONE"),
        ],
    );
    all(
        Kind::Date,
        "en",
        &[
            ("friday at half past two in the afternoon", "2026-03-20T14:30"),
            ("tomorrow morning", "2026-03-19T06:00/2026-03-19T12:00"),
            ("april second at ten thirty am", "2026-04-02T10:30"),
            ("three days ago", "2026-03-15"),
            ("july 4th 2027", "2027-07-04"),
            ("in forty five minutes", "2026-03-18T10:45"),
            ("from nine to eleven on monday", "2026-03-23T09:00/2026-03-23T11:00"),
            ("this coming sunday", "2026-03-22"),
            ("christmas", "2026-12-25"),
            ("i may come later", "NONE"),
        ],
    );
}

#[test]
fn yes_no_and_neither() {
    all(
        Kind::YesNo,
        "zh",
        &[
            ("嗯不用了", "no"),
            ("可以的", "yes"),
            ("没有了", "no"),
            ("好吧那就这样", "yes"),
            ("不用", "no"),
            ("我的订单是昨天下的", "NONE"),
            ("是不是要收费", "NONE"),
            ("要的", "yes"),
            ("不", "no"),
            ("对", "yes"),
        ],
    );
    all(
        Kind::YesNo,
        "en",
        &[
            ("yes please", "yes"),
            ("no thanks", "no"),
            ("that is correct", "yes"),
            ("that's not right", "no"),
            ("where is my order", "NONE"),
            ("i am not sure", "NONE"),
        ],
    );
}

#[test]
fn an_option_is_chosen_by_place_or_name() {
    let labels = ["红色连衣裙", "蓝牙耳机", "儿童水杯"];
    for (said, expected) in [
        ("第一个", Some(0)),
        ("最后一个吧", Some(2)),
        ("耳机那个", Some(1)),
        ("蓝牙耳机", Some(1)),
        ("水杯", Some(2)),
        ("倒数第二个", Some(1)),
        ("都不是", None),
        ("第五个", None),
        ("不知道", None),
    ] {
        assert_eq!(choose(said, &labels), expected, "{said}");
    }
    assert_eq!(choose("the blue headphones", &["red dress", "blue headphones"]), Some(1));
    assert_eq!(choose("number two", &["red dress", "blue headphones"]), Some(1));
}

#[test]
fn quantities_durations_names_and_addresses() {
    all(Kind::Number, "zh", &[("五件", "5"), ("一个半", "1.5"), ("十几个", "10"), ("百分之二十", "20%")]);
    all(Kind::Number, "en", &[("about forty two", "42"), ("two and a half", "2.5"), ("ten percent", "10%")]);
    all(Kind::Duration, "zh", &[("一个半月", "P1.5M"), ("半个小时", "PT30M"), ("两小时三十分钟", "PT2H30M"), ("五天", "P5D")]);
    all(Kind::Name, "zh", &[("我姓司马", "司马"), ("耳东陈 明天的明", "陈明"), ("我叫李雷", "李雷")]);
    all(Kind::Email, "en", &[("my email is a b c dot def at example dot org", "abc.def@example.org"), ("i have none", "NONE")]);
}

#[test]
fn the_place_of_a_value_is_its_bytes() {
    let said = "我的手机是 13800138000 谢谢";
    let found = find(Kind::Phone, said, &context("zh")).expect("a phone");
    assert_eq!(&said[found.at], "13800138000");
}

proptest::proptest! {
    #[test]
    fn no_sentence_breaks_a_grammar(said in "[ a-zA-Z0-9一二三四五六七八九十百千万亿半零两个点分月日号年周天小时后前内差到块毛京A不对的是第गल@é.,:/+-]{0,24}") {
        let kinds = [
            Kind::Phone, Kind::Digits { min: 3, max: 8 }, Kind::Code, Kind::Plate, Kind::Card, Kind::Identity, Kind::Number, Kind::Money, Kind::Date,
            Kind::Duration, Kind::YesNo, Kind::Choice, Kind::Name, Kind::Email,
        ];
        for kind in kinds {
            if let Ok(found) = find(kind, &said, &context("zh")) {
                proptest::prop_assert!(said.get(found.at.clone()).is_some(), "{kind:?}: {:?} is no part of {said:?}", found.at);
            }
        }
        crate::nlu::redact::redact(&said);
        choose(&said, &["红色连衣裙", "blue headphones"]);
        crate::nlu::clause::core(&said);
        crate::nlu::clause::clauses(&said);
    }
}

#[test]
fn s11_ages_are_told_by_their_words_and_no_other_number_is_one() {
    for (said, lang, age) in [
        ("给5岁女儿投的健康险", "zh", "5"),
        ("我儿子五岁半", "zh", "5"),
        ("他今年六十三周岁", "zh", "63"),
        ("宝宝八个月大", "zh", "0"),
        ("年龄是40", "zh", "40"),
        ("my five-year-old daughter", "en", "5"),
        ("she is 63 years old", "en", "63"),
        ("a boy aged twelve", "en", "12"),
        ("the baby is ten months old", "en", "0"),
        ("三个月前买的", "zh", "NONE"),
        ("我有2个女儿", "zh", "NONE"),
        ("two daughters", "en", "NONE"),
        ("500岁", "zh", "NONE"),
    ] {
        assert_eq!(text(Kind::Age, said, lang), age, "{said}");
    }
}
