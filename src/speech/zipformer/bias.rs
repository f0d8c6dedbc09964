//! A trie of a menu's phrases that makes the beam lean towards them a little.

use std::collections::BTreeMap;

/// Added to a hypothesis for each token along a phrase. From 3.0 on it invents menu sentences.
const BOOST: f32 = 0.5;

/// Where a hypothesis stands among the phrases.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Place {
    node: usize,
    /// Given on credit since the last whole phrase; taken back when the phrase stays unfinished.
    credit: f32,
}

#[derive(Debug, Default)]
struct Node {
    next: BTreeMap<u32, usize>,
    is_end: bool,
}

/// The phrases.
#[derive(Debug)]
pub struct Bias {
    nodes: Vec<Node>,
}

impl Bias {
    /// Builds the trie.
    pub fn new<'a>(phrases: impl IntoIterator<Item = &'a [u32]>) -> Bias {
        let mut nodes = vec![Node::default()];
        for phrase in phrases {
            let mut at = 0;
            for token in phrase {
                at = match nodes[at].next.get(token) {
                    Some(next) => *next,
                    None => {
                        nodes.push(Node::default());
                        let next = nodes.len() - 1;
                        nodes[at].next.insert(*token, next);
                        next
                    }
                };
            }
            nodes[at].is_end = true;
        }
        Bias { nodes }
    }

    /// The place after a token, and what the hypothesis gains or gives back.
    pub fn step(&self, place: Place, token: u32) -> (Place, f32) {
        if let Some(next) = self.nodes[place.node].next.get(&token) {
            let credit = if self.nodes[*next].is_end { 0.0 } else { place.credit + BOOST };
            return (Place { node: *next, credit }, BOOST);
        }
        let given_back = -place.credit;
        match self.nodes[0].next.get(&token) {
            Some(next) if place.node != 0 || !self.nodes[0].next.is_empty() => {
                let credit = if self.nodes[*next].is_end { 0.0 } else { BOOST };
                (Place { node: *next, credit }, given_back + BOOST)
            }
            _ => (Place::default(), given_back),
        }
    }

    /// What is given back at the end of the utterance.
    pub fn end(&self, place: Place) -> f32 {
        -place.credit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(bias: &Bias, tokens: &[u32]) -> f32 {
        let (place, gain) = tokens.iter().fold((Place::default(), 0.0), |(place, sum), token| {
            let (place, gain) = bias.step(place, *token);
            (place, sum + gain)
        });
        gain + bias.end(place)
    }

    #[test]
    fn whole_phrases_keep_their_bonus_and_unfinished_ones_give_it_back() {
        let bias = Bias::new([&[5, 6, 7][..], &[5, 8]]);
        assert_eq!(gain(&bias, &[5, 6, 7]), 1.5);
        assert_eq!(gain(&bias, &[5, 6]), 0.0);
        assert_eq!(gain(&bias, &[5, 6, 9]), 0.0);
        assert_eq!(gain(&bias, &[5, 6, 5, 8]), 1.0);
        assert_eq!(gain(&bias, &[5, 6, 7, 9]), 1.5);
    }
}
