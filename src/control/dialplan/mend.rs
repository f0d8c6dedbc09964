//! The mended line of a YAML slip: prose put in quotes.

/// The line with the characters `from..until` in double quotes.
#[must_use]
pub fn quote(line: &str, from: usize, until: usize) -> Option<String> {
    let chars: Vec<char> = line.chars().collect();
    if from >= until || until > chars.len() {
        return None;
    }
    let text: String = chars[from..until].iter().collect();
    let (before, after): (String, String) = (chars[..from].iter().collect(), chars[until..].iter().collect());
    Some(format!("{before}\"{}\"{after}", text.trim().trim_matches('"').replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Finds the first unquoted value with a sign of YAML in it and quotes it.
#[must_use]
pub fn line(line: &str) -> Option<String> {
    let chars: Vec<char> = line.chars().collect();
    let mut at = 0;
    while let Some(start) = value_after_key(&chars, at) {
        let end = value_end(&chars, start);
        if needs_quotes(&chars[start..end]) {
            return quote(line, start, end);
        }
        at = start.max(at + 1);
    }
    list_item(line, &chars)
}

/// Where the value of the next `key: ` begins.
fn value_after_key(chars: &[char], from: usize) -> Option<usize> {
    let at = (from..chars.len().saturating_sub(1)).find(|at| chars[*at] == ':' && chars[*at + 1] == ' ')?;
    let start = (at + 1..chars.len()).find(|at| chars[*at] != ' ')?;
    Some(start)
}

/// A value ends before `, key: `, before a closing bracket that it did not open, or with the line.
fn value_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0usize;
    for at in start..chars.len() {
        match chars[at] {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 0 => return trimmed(chars, start, at),
            '}' | ']' => depth -= 1,
            ',' if depth == 0 && key_follows(chars, at + 1) => return trimmed(chars, start, at),
            '#' if at > start && chars[at - 1] == ' ' => return trimmed(chars, start, at),
            _ => {}
        }
    }
    trimmed(chars, start, chars.len())
}

fn trimmed(chars: &[char], start: usize, end: usize) -> usize {
    (start..end).rev().find(|at| chars[*at] != ' ').map_or(start, |at| at + 1)
}

fn key_follows(chars: &[char], from: usize) -> bool {
    let word: String = chars[from..].iter().skip_while(|c| **c == ' ').take_while(|c| **c != ':' && **c != ',').collect();
    let after = from + chars[from..].iter().take_while(|c| **c == ' ').count() + word.chars().count();
    let named = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"'));
    named && chars.get(after) == Some(&':') && chars.get(after + 1) == Some(&' ')
}

fn needs_quotes(value: &[char]) -> bool {
    let Some(first) = value.first() else { return false };
    if matches!(first, '"' | '\'' | '{' | '[' | '|' | '>') {
        // "{plate}出险了" begins like a map but goes on as prose.
        return *first == '{' && value.iter().position(|c| *c == '}').is_some_and(|at| at + 1 < value.len());
    }
    let pairs = value.windows(2).any(|two| two == [':', ' '] || two == [',', ' ']);
    pairs || matches!(first, '*' | '&' | '!' | '%' | '@' | '`' | '?') || value.last() == Some(&':')
}

/// `- hello: world` and `[hello: world, b]`: the item itself is prose.
fn list_item(line: &str, chars: &[char]) -> Option<String> {
    let open = chars.iter().position(|c| *c == '[')?;
    let end = (open + 1..chars.len()).find(|at| matches!(chars[*at], ',' | ']'))?;
    let item = &chars[open + 1..end];
    item.windows(2).any(|two| two == [':', ' ']).then(|| quote(line, open + 1, end)).flatten()
}
