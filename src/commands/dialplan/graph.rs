//! `hotline dialplan graph`: a plan as a drawing, in columns by the distance from its start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use super::{loaded_for_mocks, plan_named};
use crate::control::dialplan::Plan;
use crate::control::dialplan::check::exits;

/// Room between two columns, for the lines.
const BETWEEN: usize = 110;
const ROW: usize = 50;
const BOX_HEIGHT: usize = 32;
const LEAST_BOX: usize = 90;
/// A letter of 13 px; a wide one takes two.
const LETTER: usize = 8;
/// Space around the words of a box.
const PADDING: usize = 12;
const MARGIN: usize = 20;
/// More boxes than this go into the next column.
const MOST_ROWS: usize = 16;
/// Rounds of putting boxes beside those they are linked with.
const ROUNDS: usize = 6;

/// Which plan, and how.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The plan's id
    plan: String,
    /// A drawing (SVG) instead of text for Graphviz
    #[arg(long)]
    svg: bool,
}

type Exits = BTreeMap<String, BTreeSet<String>>;

/// A node's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

/// Runs the command.
///
/// # Errors
/// When there is no such plan.
pub fn run(dir: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let plan = plan_named(&loaded_for_mocks(dir)?, &args.plan)?;
    print!("{}", if args.svg { svg(&plan) } else { dot(&plan) });
    Ok(ExitCode::SUCCESS)
}

fn dot(plan: &Plan) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\\\""));
    let mut text =
        format!("digraph {} {{\n  rankdir=LR; node [shape=box];\n  {} [penwidth=2];\n", quoted(&plan.id), quoted(&plan.flow.start));
    for (from, to) in exits(plan) {
        text += &to.iter().map(|to| format!("  {} -> {};\n", quoted(&from), quoted(to))).collect::<String>();
    }
    text + "}\n"
}

/// Columns of nodes: the start, what it leads to, and so on; what is never reached stands last. Long ones are cut.
fn columns(plan: &Plan, exits: &Exits) -> Vec<Vec<String>> {
    let mut seen = BTreeSet::from([plan.flow.start.clone()]);
    let mut columns = vec![vec![plan.flow.start.clone()]];
    while let Some(last) = columns.last().filter(|last| !last.is_empty()) {
        let next = last.iter().filter_map(|node| exits.get(node)).flatten();
        let next: Vec<String> = next.filter(|node| seen.insert((*node).clone())).cloned().collect();
        columns.push(next);
    }
    columns.pop();
    let rest: Vec<String> = plan.flow.nodes.keys().filter(|node| !seen.contains(*node)).cloned().collect();
    columns.extend((!rest.is_empty()).then_some(rest));
    let mut columns: Vec<Vec<String>> = columns.iter().flat_map(|column| column.chunks(MOST_ROWS).map(<[String]>::to_vec)).collect();
    (0..ROUNDS).for_each(|_| settle(&mut columns, exits));
    columns
}

/// Puts each node at the mean height of those it is linked with, so that lines cross less.
fn settle(columns: &mut [Vec<String>], exits: &Exits) {
    let mut heights: BTreeMap<String, f32> = BTreeMap::new();
    for column in columns.iter() {
        let middle = column.len() as f32 / 2.0;
        heights.extend(column.iter().enumerate().map(|(row, node)| (node.clone(), row as f32 - middle)));
    }
    for column in columns {
        let wish = |node: &String| {
            let above = exits.iter().filter(|(_, to)| to.contains(node)).map(|(from, _)| from);
            let linked: Vec<f32> =
                above.chain(exits.get(node).into_iter().flatten()).filter_map(|other| heights.get(other).copied()).collect();
            if linked.is_empty() { 0.0 } else { linked.iter().sum::<f32>() / linked.len() as f32 }
        };
        let wishes: BTreeMap<String, f32> = column.iter().map(|node| (node.clone(), wish(node))).collect();
        column.sort_by(|left, right| wishes[left].total_cmp(&wishes[right]).then(left.cmp(right)));
    }
}

/// Where each node stands, and the size of all.
fn places(columns: &[Vec<String>]) -> (BTreeMap<&str, Place>, (usize, usize)) {
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut places = BTreeMap::new();
    let mut x = MARGIN;
    for column in columns {
        let width = column.iter().map(|node| letters(node) * LETTER + 2 * PADDING).max().unwrap_or(0).max(LEAST_BOX);
        let top = MARGIN + (rows - column.len()) * ROW / 2;
        places.extend(column.iter().enumerate().map(|(row, node)| (node.as_str(), Place { x, y: top + row * ROW, width })));
        x += width + BETWEEN;
    }
    // Lines that lead back pass below all boxes.
    (places, (x - BETWEEN + 2 * MARGIN, 2 * MARGIN + (rows + 1) * ROW))
}

/// Narrow letters that take as much room.
fn letters(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

fn svg(plan: &Plan) -> String {
    let exits = exits(plan);
    let columns = columns(plan, &exits);
    let (places, (width, height)) = places(&columns);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0,0 L8,4 L0,8 z\" fill=\"#567\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        escaped(&plan.title)
    );
    for (from, targets) in &exits {
        for to in targets {
            if let (Some(start), Some(end)) = (places.get(from.as_str()), places.get(to.as_str())) {
                out += &edge((from, *start), (to, *end), height - MARGIN);
            }
        }
    }
    for (node, place) in &places {
        let line = if **node == *plan.flow.start { 3 } else { 1 };
        let Place { x, y, width } = place;
        out += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"5\" fill=\"#eef3fa\" stroke=\"#345\" stroke-width=\"{line}\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            x + width / 2,
            y + BOX_HEIGHT / 2 + 5,
            escaped(node)
        );
    }
    out + "</svg>\n"
}

/// A curve from the right side of one box to the left side of another; one that leads back is dashed and passes below.
fn edge((from, start): (&str, Place), (to, end): (&str, Place), bottom: usize) -> String {
    let (x1, y1) = (start.x + start.width, start.y + BOX_HEIGHT / 2);
    let (x2, y2) = (end.x, end.y + BOX_HEIGHT / 2);
    let title = format!("<title>{} → {}</title>", escaped(from), escaped(to));
    if x2 > x1 {
        let bend = BETWEEN / 2;
        return format!(
            "<path d=\"M{x1},{y1} C{},{y1} {},{y2} {x2},{y2}\" fill=\"none\" stroke=\"#567\" marker-end=\"url(#tip)\">{title}</path>\n",
            x1 + bend,
            x2 - bend
        );
    }
    let (right, left) = (x1 + BETWEEN / 3, x2.saturating_sub(BETWEEN / 3));
    format!(
        "<path d=\"M{x1},{y1} C{right},{y1} {right},{bottom} {},{bottom} S{left},{y2} {x2},{y2}\" fill=\"none\" stroke=\"#bbc\" \
         stroke-dasharray=\"4 3\" marker-end=\"url(#tip)\">{title}</path>\n",
        usize::midpoint(right, left)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::dialplan::{Source, load};

    const NODES: usize = 60;

    /// Sixty nodes of which each leads to three others.
    fn large() -> std::sync::Arc<Plan> {
        let mut text = "dialplan: 1\nid: large\nlanguages: [en-US]\nstart: node_0\nnodes:\n".to_owned();
        for node in 0..NODES {
            let option = |key: usize| {
                let to = (node * 3 + key) % NODES;
                format!("{{key: {key}, goto: node_{to}, label: \"way {key}\"}}")
            };
            text += &format!(
                "  node_{node}:\n    - menu: {{prompt: \"Node {node}.\", options: [{}, {}, {}]}}\n",
                option(1),
                option(2),
                option(3)
            );
        }
        let loaded = load(&[Source { name: "large.yaml".to_owned(), text }], &BTreeMap::new());
        loaded.plans.get("large").unwrap_or_else(|| panic!("{:?}", loaded.problems)).clone()
    }

    #[test]
    fn sixty_nodes_stand_apart_with_their_names_inside_and_every_way_drawn() {
        let plan = large();
        let exits = exits(&plan);
        let columns = columns(&plan, &exits);
        let (places, (width, height)) = places(&columns);
        assert_eq!(places.len(), NODES);
        assert!(columns.iter().all(|column| column.len() <= MOST_ROWS));
        let all: Vec<(&&str, &Place)> = places.iter().collect();
        for (at, (name, one)) in all.iter().enumerate() {
            assert!(letters(name) * LETTER + PADDING <= one.width, "{name} fits");
            assert!(one.x + one.width <= width && one.y + BOX_HEIGHT <= height, "{name} is on the page");
            for (other, two) in &all[at + 1..] {
                let apart_x = one.x + one.width <= two.x || two.x + two.width <= one.x;
                let apart_y = one.y + BOX_HEIGHT <= two.y || two.y + BOX_HEIGHT <= one.y;
                assert!(apart_x || apart_y, "{name} and {other} lie over each other");
            }
        }
        let drawn = svg(&plan);
        let ways: usize = exits.values().map(BTreeSet::len).sum();
        assert_eq!(drawn.matches("marker-end").count(), ways);
        assert_eq!(drawn.matches("text-anchor").count(), NODES);
    }
}
