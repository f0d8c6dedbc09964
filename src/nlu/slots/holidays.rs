//! Days with a name. Lunar ones by table, since they follow no simple rule.

use jiff::civil::{Date, date};

/// Name, month and day; in its year the next one from today on counts.
const FIXED: [(&str, i8, i8); 22] = [
    ("元旦", 1, 1),
    ("情人节", 2, 14),
    ("妇女节", 3, 8),
    ("三八", 3, 8),
    ("五一", 5, 1),
    ("劳动节", 5, 1),
    ("六一", 6, 1),
    ("儿童节", 6, 1),
    ("教师节", 9, 10),
    ("十一", 10, 1),
    ("国庆", 10, 1),
    ("双十一", 11, 11),
    ("双十二", 12, 12),
    ("平安夜", 12, 24),
    ("圣诞", 12, 25),
    ("new year's day", 1, 1),
    ("valentine's day", 2, 14),
    ("halloween", 10, 31),
    ("christmas eve", 12, 24),
    ("christmas", 12, 25),
    ("boxing day", 12, 26),
    ("new year's eve", 12, 31),
];

/// Month and day.
type Day = (i8, i8);

/// Spring festival, dragon boat, mid-autumn (Hong Kong Observatory's calendar tables).
const LUNAR: [(i16, Day, Day, Day); 8] = [
    (2025, (1, 29), (5, 31), (10, 6)),
    (2026, (2, 17), (6, 19), (9, 25)),
    (2027, (2, 6), (6, 9), (9, 15)),
    (2028, (1, 26), (5, 28), (10, 3)),
    (2029, (2, 13), (6, 16), (9, 22)),
    (2030, (2, 3), (6, 5), (9, 12)),
    (2031, (1, 23), (6, 24), (10, 1)),
    (2032, (2, 11), (6, 12), (9, 19)),
];

/// Names of all holidays, for the search.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIXED.iter().map(|&(name, ..)| name).chain(["春节", "大年初一", "过年", "端午", "中秋", "除夕"])
}

/// The next day of this name, today included.
pub(super) fn next(name: &str, today: Date) -> Option<Date> {
    if let Some(&(_, month, day)) = FIXED.iter().find(|(fixed, ..)| *fixed == name) {
        let this_year = date(today.year(), month, day);
        return Some(if this_year < today { date(today.year() + 1, month, day) } else { this_year });
    }
    let days = LUNAR.iter().filter_map(|&(year, spring, boat, autumn)| match name {
        "春节" | "大年初一" | "过年" => Some(date(year, spring.0, spring.1)),
        "除夕" => date(year, spring.0, spring.1).yesterday().ok(),
        "端午" => Some(date(year, boat.0, boat.1)),
        "中秋" => Some(date(year, autumn.0, autumn.1)),
        _ => None,
    });
    days.into_iter().find(|&day| day >= today)
}
