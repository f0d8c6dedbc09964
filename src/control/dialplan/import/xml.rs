//! As much of XML as TwiML needs: elements with attributes and texts, and the lines where they stand.

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// The words in it, children left out.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
    /// From 1.
    pub line: usize,
}

impl Element {
    /// An attribute's value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is wrong, and in which line.
pub type Broken = (usize, String);

/// Elements within elements.
const DEEPEST: usize = 32;

/// Reads the one element of a document.
///
/// # Errors
/// [`Broken`]: the first thing that is no XML.
pub fn parse(text: &str) -> Result<Element, Broken> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_prolog()?;
    if !reader.rest().starts_with('<') {
        return Err((reader.line(), "there is no element".to_owned()));
    }
    reader.element(0)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn line(&self) -> usize {
        self.text[..self.at].matches('\n').count() + 1
    }

    fn broken<T>(&self, what: &str) -> Result<T, Broken> {
        Err((self.line(), what.to_owned()))
    }

    fn past(&mut self, end: &str, what: &str) -> Result<(), Broken> {
        match self.rest().find(end) {
            Some(at) => {
                self.at += at + end.len();
                Ok(())
            }
            None => self.broken(what),
        }
    }

    fn skip_prolog(&mut self) -> Result<(), Broken> {
        loop {
            let spaces = self.rest().len() - self.rest().trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).len();
            self.at += spaces;
            if self.rest().starts_with("<!--") {
                self.past("-->", "a comment has no end")?;
            } else if self.rest().starts_with("<?") || self.rest().starts_with("<!") {
                self.past(">", "a declaration has no end")?;
            } else {
                return Ok(());
            }
        }
    }

    fn name(&mut self) -> String {
        let name: String = self.rest().chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.')).collect();
        self.at += name.len();
        name
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn element(&mut self, depth: usize) -> Result<Element, Broken> {
        let line = self.line();
        if depth > DEEPEST {
            return self.broken("elements are nested too deeply");
        }
        self.at += 1;
        let mut element = Element { name: self.name(), line, ..Element::default() };
        if element.name.is_empty() {
            return self.broken("'<' begins no element; write &lt;");
        }
        loop {
            self.spaces();
            if self.rest().starts_with("/>") {
                self.at += 2;
                return Ok(element);
            }
            if self.rest().starts_with('>') {
                self.at += 1;
                break;
            }
            let attribute = self.attribute(&element.name)?;
            element.attributes.push(attribute);
        }
        self.content(&mut element, depth)?;
        Ok(element)
    }

    fn attribute(&mut self, element: &str) -> Result<(String, String), Broken> {
        let name = self.name();
        self.spaces();
        if name.is_empty() || !self.rest().starts_with('=') {
            return self.broken(&format!("the attributes of <{element}> cannot be read"));
        }
        self.at += 1;
        self.spaces();
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return self.broken(&format!("the value of {name} must be quoted"));
        };
        self.at += 1;
        let Some(end) = self.rest().find(quote) else {
            return self.broken(&format!("the value of {name} has no closing quote"));
        };
        let value = unescaped(&self.rest()[..end]);
        self.at += end + 1;
        Ok((name, value))
    }

    fn content(&mut self, element: &mut Element, depth: usize) -> Result<(), Broken> {
        loop {
            let Some(at) = self.rest().find('<') else {
                return self.broken(&format!("</{}> is missing", element.name));
            };
            let text = unescaped(&self.rest()[..at]);
            element.text += &text;
            self.at += at;
            if self.rest().starts_with("<!--") {
                self.past("-->", "a comment has no end")?;
            } else if let Some(data) = self.rest().strip_prefix("<![CDATA[") {
                let Some(end) = data.find("]]>") else { return self.broken("CDATA has no end") };
                element.text += &data[..end].to_owned();
                self.at += "<![CDATA[".len() + end + "]]>".len();
            } else if self.rest().starts_with("</") {
                self.at += 2;
                let name = self.name();
                if name != element.name {
                    return self.broken(&format!("</{name}> ends <{}>", element.name));
                }
                self.past(">", "an end tag has no end")?;
                element.text = element.text.split_whitespace().collect::<Vec<_>>().join(" ");
                return Ok(());
            } else {
                let child = self.element(depth + 1)?;
                element.children.push(child);
            }
        }
    }
}

fn unescaped(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out += &rest[..at];
        rest = &rest[at..];
        let numbered = rest.strip_prefix("&#").and_then(|number| number.split_once(';')).and_then(|(number, _)| {
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            Some((char::from_u32(code)?, number.len() + 3))
        });
        match (named.iter().find(|(name, _)| rest.starts_with(name)), numbered) {
            (Some((name, sign)), _) => {
                out += sign;
                rest = &rest[name.len()..];
            }
            (None, Some((sign, length))) => {
                out.push(sign);
                rest = &rest[length..];
            }
            (None, None) => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_texts_are_read_and_what_is_broken_has_its_line() {
        let read = parse("<?xml version=\"1.0\"?>\n<!-- x -->\n<Response>\n <Say language='en-US'>Tom &amp; \n Jerry &#33;</Say><Hangup/>\n</Response>\n").expect("xml");
        assert_eq!((read.name.as_str(), read.children.len(), read.line), ("Response", 2, 3));
        assert_eq!((read.children[0].text.as_str(), read.children[0].attribute("language")), ("Tom & Jerry !", Some("en-US")));
        for (text, line) in [("", 1), ("<a>\n<b></a>", 2), ("<a x=1/>", 1), ("<a>\n\n", 1), ("<a><![CDATA[x</a>", 1)] {
            assert_eq!(parse(text).expect_err(text).0.min(line), line, "{text}");
        }
    }
}
