//! `hotline dialplan graph`: a plan as a drawing, in columns by the distance from its start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use super::{loaded_for_mocks, plan_named};
use crate::control::dialplan::Plan;
use crate::control::dialplan::check::exits;

const COLUMN: usize = 250;
const ROW: usize = 56;
const BOX: (usize, usize) = (170, 34);
const MARGIN: usize = 20;

/// Which plan, and how.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The plan's id
    plan: String,
    /// A drawing (SVG) instead of text for Graphviz
    #[arg(long)]
    svg: bool,
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

/// Columns of nodes: the start, what it leads to, and so on; what is never reached stands last.
fn columns(plan: &Plan, exits: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
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
    columns
}

fn svg(plan: &Plan) -> String {
    let exits = exits(plan);
    let columns = columns(plan, &exits);
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (x, column) in columns.iter().enumerate() {
        places.extend(column.iter().enumerate().map(|(y, node)| (node.as_str(), (MARGIN + x * COLUMN, MARGIN + y * ROW))));
    }
    let (width, height) = (2 * MARGIN + columns.len() * COLUMN, 2 * MARGIN + columns.iter().map(Vec::len).max().unwrap_or(0) * ROW);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        escaped(&plan.title)
    );
    for (from, targets) in &exits {
        let ends = targets.iter().filter_map(|to| places.get(from.as_str()).zip(places.get(to.as_str())));
        out += &ends.map(|(from, to)| edge(*from, *to)).collect::<String>();
    }
    for (node, (x, y)) in &places {
        let line = if **node == *plan.flow.start { 3 } else { 1 };
        let (width, height) = BOX;
        out += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\" fill=\"#eef3fa\" stroke=\"#345\" stroke-width=\"{line}\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            x + width / 2,
            y + height / 2 + 5,
            escaped(node)
        );
    }
    out + "</svg>\n"
}

/// A curve from the right side of one box to the left side of another.
fn edge((x1, y1): (usize, usize), (x2, y2): (usize, usize)) -> String {
    let (x1, y1, y2) = (x1 + BOX.0, y1 + BOX.1 / 2, y2 + BOX.1 / 2);
    let bend = COLUMN / 4;
    format!(
        "<path d=\"M{x1},{y1} C{},{y1} {},{y2} {x2},{y2}\" fill=\"none\" stroke=\"#99a\"/><circle cx=\"{x2}\" cy=\"{y2}\" r=\"3\" fill=\"#345\"/>\n",
        x1 + bend,
        x2.saturating_sub(bend)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
