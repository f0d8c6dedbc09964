//! `hotline dialplan import`: plans out of extensions.conf and TwiML.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::read;
use crate::control::dialplan::import::{Imported, Wanted, asterisk, included, is_meant, twiml};
use crate::control::dialplan::problem::has_error;

/// Files that include each other.
const MOST_FILES: usize = 1_000;

/// What is imported.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// One extensions.conf (what it includes is read too), or TwiML documents, the one where calls begin first
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The plan's id; the first file's name without
    #[arg(long)]
    id: Option<String>,
    /// The language of the texts
    #[arg(long, default_value = "en-US")]
    lang: String,
    /// extensions.conf: the context where calls come in
    #[arg(long)]
    context: Option<String>,
    /// The folder that gets the plan, and desk.yaml where there is none yet; without it the plan is printed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One JSON object with the plan, the desk and the notes
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or written, or holds nothing that can become a plan.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = with_included(&args.files)?;
    let (sources, problems) = read(&files)?;
    if let Some(problem) = problems.first() {
        bail!("{problem}");
    }
    let Some(first) = sources.first() else { bail!("name an extensions.conf or TwiML documents") };
    let stem = args.files[0].file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let id: String =
        args.id.clone().unwrap_or(stem).chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' }).collect();
    let wanted = Wanted { id, lang: args.lang.clone(), entry: args.context.clone() };
    let is_xml = first.text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']).starts_with('<');
    let imported = if is_xml { twiml(&sources, &wanted) } else { asterisk(&sources, &wanted) };
    let imported = imported.map_err(|problems| {
        let errors = problems.iter().filter(|problem| has_error(std::slice::from_ref(problem)));
        errors.for_each(|problem| eprintln!("{problem}"));
        anyhow::anyhow!("{} cannot become a plan", first.name)
    })?;
    give(args, &wanted, &imported)?;
    Ok(ExitCode::SUCCESS)
}

/// The files, and those of their folders that they include.
fn with_included(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = named.to_vec();
    let mut at = 0;
    while at < files.len() {
        let text = fs::read(&files[at]).with_context(|| format!("{} cannot be read", files[at].display()))?;
        let folder = files[at].parent().map(Path::to_owned).unwrap_or_default();
        for name in String::from_utf8_lossy(&text).lines().filter_map(included) {
            let beside = folder.join(name.trim_start_matches("./"));
            let within = beside.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let entries = fs::read_dir(within).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
            let mut found: Vec<PathBuf> = entries.filter(|path| path.is_file() && is_meant(&path.to_string_lossy(), &name)).collect();
            found.sort();
            files.extend(found.into_iter().filter(|path| !same(&files, path)).collect::<Vec<_>>());
        }
        if files.len() > MOST_FILES {
            bail!("more than {MOST_FILES} files are included");
        }
        at += 1;
    }
    Ok(files)
}

fn same(files: &[PathBuf], path: &Path) -> bool {
    let whole = |path: &Path| fs::canonicalize(path).ok();
    files.iter().any(|file| whole(file) == whole(path))
}

fn give(args: &Args, wanted: &Wanted, imported: &Imported) -> anyhow::Result<()> {
    if args.json {
        let all = serde_json::json!({"plan": imported.plan, "desk": imported.desk, "notes": imported.notes, "warnings": imported.warnings});
        println!("{all}");
        return Ok(());
    }
    match &args.out {
        None => {
            print!("{}", imported.plan);
            if !imported.desk.is_empty() {
                eprintln!("desk.yaml needs:\n{}", imported.desk);
            }
        }
        Some(folder) => {
            let plan = folder.join(format!("{}.yaml", wanted.id));
            write_new(&plan, &imported.plan)?;
            let desk = folder.join("desk.yaml");
            if desk.exists() && !imported.desk.is_empty() {
                eprintln!("{} is there already; it needs:\n{}", desk.display(), imported.desk);
            } else if !imported.desk.is_empty() {
                write_new(&desk, &imported.desk)?;
            }
        }
    }
    for note in &imported.notes {
        let place = if note.line == 0 { String::new() } else { format!("{}:{}: ", note.file, note.line) };
        eprintln!("{place}{}", note.what);
    }
    eprintln!("{} thing(s) left out or guessed; {} warning(s) of lint", imported.notes.len(), imported.warnings.len());
    Ok(())
}

fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut out = fs::File::create_new(file).with_context(|| format!("cannot make {}", file.display()))?;
    out.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_written_beside_a_desk_and_nothing_is_written_over() {
        let home = tempfile::tempdir().unwrap();
        let conf = home.path().join("extensions.conf");
        fs::write(&conf, "#include \"conf.d/*.conf\"\n").unwrap();
        fs::create_dir(home.path().join("conf.d")).unwrap();
        fs::write(home.path().join("conf.d/main.conf"), "[main]\nexten => s,1,Queue(sales,,,,30)\n#include ../extensions.conf\n").unwrap();
        let args =
            Args { files: vec![conf], id: None, lang: "en-US".into(), context: None, out: Some(home.path().to_owned()), json: false };
        assert_eq!(run(&args).unwrap(), ExitCode::SUCCESS);
        assert!(fs::read_to_string(home.path().join("extensions.yaml")).unwrap().contains("to: sales"));
        assert!(fs::read_to_string(home.path().join("desk.yaml")).unwrap().contains("sales"));
        assert!(run(&args).is_err(), "the plan is there already");
    }
}
