//! Files of Asterisk that include each other, as one text whose lines know where they come from.

use crate::control::dialplan::load::Source;

/// Files joined as `#include` says, in the order of their lines.
#[derive(Debug, Default)]
pub struct Joined {
    /// The whole text.
    pub text: String,
    /// Line by line: which file it comes from, and its line there, from 1.
    pub origins: Vec<(usize, usize)>,
    /// Includes that lead to none of the files, or too deep: file, line, name.
    pub missing: Vec<(usize, usize, String)>,
}

/// Includes within includes.
const DEEPEST: usize = 16;
/// More lines than this are no dialplan that somebody wrote.
const MOST_LINES: usize = 200_000;

/// Joins the first file with those it includes, which are among the others.
#[must_use]
pub fn join(files: &[Source]) -> Joined {
    let mut joined = Joined::default();
    if !files.is_empty() {
        joined.take(files, 0, DEEPEST);
    }
    joined
}

impl Joined {
    /// The file of a line of the whole, and its line there.
    #[must_use]
    pub fn origin(&self, line: usize) -> (usize, usize) {
        self.origins.get(line.wrapping_sub(1)).copied().unwrap_or((0, 0))
    }

    fn take(&mut self, files: &[Source], at: usize, depth: usize) {
        for (index, line) in files[at].text.lines().enumerate() {
            let Some(wanted) = included(line) else {
                if self.origins.len() < MOST_LINES {
                    self.text += line;
                    self.text.push('\n');
                    self.origins.push((at, index + 1));
                }
                continue;
            };
            let found: Vec<usize> = (0..files.len()).filter(|other| *other != at && is_meant(&files[*other].name, &wanted)).collect();
            if found.is_empty() || depth == 0 {
                self.missing.push((at, index + 1, wanted));
            } else {
                found.into_iter().for_each(|other| self.take(files, other, depth - 1));
            }
        }
    }
}

/// The file of `#include name`, `#include "name"`, `#include <name>` or `#tryinclude name`.
#[must_use]
pub fn included(line: &str) -> Option<String> {
    let rest = line.trim_start();
    let rest = rest.strip_prefix("#include").or_else(|| rest.strip_prefix("#tryinclude"))?;
    let name = rest.trim_start_matches([' ', '\t']);
    if name.len() == rest.len() && !name.starts_with(['"', '<']) {
        return None;
    }
    let name = name.split(';').next().unwrap_or_default().trim().trim_matches(|c| matches!(c, '"' | '<' | '>'));
    (!name.is_empty()).then(|| name.to_owned())
}

/// `conf.d/*.conf` and `extra.conf`, wherever the files lie.
#[must_use]
pub fn is_meant(file: &str, wanted: &str) -> bool {
    let names = |path: &str| path.rsplit('/').map(str::to_owned).collect::<Vec<_>>();
    let (file, wanted) = (names(file), names(wanted.trim_start_matches("./")));
    let fits = |(have, want): (&String, &String)| match want.split_once('*') {
        Some((before, after)) => have.len() >= before.len() + after.len() && have.starts_with(before) && have.ends_with(after),
        None => have == want,
    };
    wanted.len() <= file.len() && file.iter().zip(&wanted).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_are_put_in_their_place_and_each_line_knows_its_file() {
        let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        let files = [
            file("etc/extensions.conf", "[a]\n#include \"menu.conf\" ; the menu\n#include <conf.d/*.conf>\n#tryinclude gone.conf\n[z]\n"),
            file("etc/menu.conf", "[menu]\n#include deep.conf\n"),
            file("etc/conf.d/one.conf", "[one]\n"),
            file("etc/conf.d/two.conf", "[two]\n#include menu.conf\n"),
            file("etc/deep.conf", "[deep]\n#include deep.conf\n"),
        ];
        let joined = join(&files);
        assert_eq!(joined.text, "[a]\n[menu]\n[deep]\n[one]\n[two]\n[menu]\n[deep]\n[z]\n");
        assert_eq!((joined.origin(1), joined.origin(3), joined.origin(8)), ((0, 1), (4, 1), (0, 5)));
        assert_eq!(joined.missing, [(4, 2, "deep.conf".to_owned()), (4, 2, "deep.conf".to_owned()), (0, 4, "gone.conf".to_owned())]);
        let round = [file("a", "#include b\n"), file("b", "x\n#include a\n")];
        assert!(join(&round).missing.iter().any(|(.., name)| name == "a" || name == "b"), "a circle of files ends");
        assert_eq!(included("exten => 1,1,NoOp(#include x)"), None);
        assert_eq!(included("#includes x"), None);
    }
}
