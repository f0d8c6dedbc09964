//! As much of XML as TwiML needs: elements with attributes and texts, and the lines where they stand.

use roxmltree::{Document, Node, ParsingOptions};

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
/// Elements, texts and comments of a document; a plan has a few hundred.
const MOST_NODES: u32 = 100_000;

/// Reads the one element of a document.
///
/// # Errors
/// [`Broken`]: the first thing that is no XML.
pub fn parse(text: &str) -> Result<Element, Broken> {
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| (error.pos().row as usize, error.to_string()))?;
    element(document.root_element(), 0)
}

fn element(node: Node<'_, '_>, depth: usize) -> Result<Element, Broken> {
    let line = node.document().text_pos_at(node.range().start).row as usize;
    if depth > DEEPEST {
        return Err((line, "elements are nested too deeply".to_owned()));
    }
    let words = node.children().filter(Node::is_text).filter_map(|child| child.text()).collect::<Vec<_>>().join(" ");
    let children = node.children().filter(Node::is_element).map(|child| element(child, depth + 1));
    Ok(Element {
        name: node.tag_name().name().to_owned(),
        attributes: node.attributes().map(|attribute| (attribute.name().to_owned(), attribute.value().to_owned())).collect(),
        text: words.split_whitespace().collect::<Vec<_>>().join(" "),
        children: children.collect::<Result<_, _>>()?,
        line,
    })
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
