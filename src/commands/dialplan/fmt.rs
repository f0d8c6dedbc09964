//! `hotline dialplan fmt`: writes files in their canonical form.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::{is_test, loaded_for_mocks_of, with_surroundings, yaml_files};
use crate::control::dialplan::load::plan_id;
use crate::control::dialplan::problem::has_error;
use crate::control::dialplan::{Problem, Source, format, test_file};

/// Which files, and whether they are written.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Plans, desk.yaml, knowledge and test files; all of the folder without
    pub files: Vec<PathBuf>,
    /// Writes nothing, names the files that are not in canonical form; exit status 1 when there is one
    #[arg(long)]
    check: bool,
}

/// What became of a file.
enum Form {
    Good,
    Other(String),
    Broken(Vec<Problem>),
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or written.
pub fn run(dir: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let mut files = if args.files.is_empty() { yaml_files(dir)? } else { args.files.clone() };
    files.retain(|file| !Source::is_table_name(&file.to_string_lossy()));
    let (mut changed, mut broken) = (0, 0);
    for file in &files {
        match form(file)? {
            Form::Good => {}
            Form::Other(text) => {
                changed += 1;
                if !args.check {
                    replace(file, &text)?;
                }
                println!("{}", file.display());
            }
            Form::Broken(problems) => {
                broken += 1;
                problems.iter().for_each(|problem| eprintln!("{problem}"));
                eprintln!("{} is left as it is", file.display());
            }
        }
    }
    let done = if args.check { "not in canonical form" } else { "formatted" };
    println!("{} file(s): {changed} {done}, {broken} broken", files.len());
    let good = broken == 0 && (changed == 0 || !args.check);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn form(file: &Path) -> anyhow::Result<Form> {
    let name = file.display().to_string();
    let bytes = fs::read(file).with_context(|| format!("{name} cannot be read"))?;
    let source = match Source::from_bytes(&name, bytes) {
        Ok(source) => source,
        Err(problem) => return Ok(Form::Broken(vec![problem])),
    };
    let errors = errors(file, &source)?;
    if !errors.is_empty() {
        return Ok(Form::Broken(errors));
    }
    Ok(match format::canonical(&source) {
        Ok(text) if text == source.text => Form::Good,
        Ok(text) => Form::Other(text),
        Err(problems) => Form::Broken(problems),
    })
}

/// What lint calls an error in this file.
fn errors(file: &Path, source: &Source) -> anyhow::Result<Vec<Problem>> {
    let found = if is_test(file) {
        test_file::read(source).err().unwrap_or_default()
    } else {
        loaded_for_mocks_of(&around(file, source)?)?.problems
    };
    Ok(found.into_iter().filter(|problem| problem.file == source.name && has_error(std::slice::from_ref(problem))).collect())
}

/// The files that a file is judged by: a plan with the desk and the articles, all else with the plans too, which have its names.
fn around(file: &Path, source: &Source) -> anyhow::Result<Vec<PathBuf>> {
    if plan_id(source).is_some() {
        return Ok(with_surroundings(&[file.to_path_buf()]));
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let home = if folder.ends_with("knowledge") { folder.parent().unwrap_or(Path::new("")) } else { folder };
    yaml_files(if home.as_os_str().is_empty() { Path::new(".") } else { home })
}

/// Puts the text in the place of the file at once: nobody ever reads half of it.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let file = fs::canonicalize(file).with_context(|| format!("{} cannot be found", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut new = tempfile::Builder::new().prefix(".hotline-fmt-").tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(fs::metadata(&file)?.permissions())?;
        new.as_file().sync_all()?;
        new.persist(&file)?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "id: x\ndialplan: 1 # one\nlanguages: [en-US]\nstart: a\nnodes:\n  a: [{hangup: 'Bye.'}]\n";

    fn args(files: &[&Path], check: bool) -> Args {
        Args { files: files.iter().map(|file| file.to_path_buf()).collect(), check }
    }

    #[test]
    fn a_file_is_formatted_in_its_place_and_a_broken_one_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, broken) = (folder.path().join("x.yaml"), folder.path().join("y.yaml"));
        fs::write(&plan, PLAN).unwrap();
        fs::write(&broken, PLAN.replace("start: a", "start: b")).unwrap();
        assert_eq!(run(folder.path(), &args(&[&plan], true)).unwrap(), ExitCode::FAILURE);
        assert_eq!(fs::read_to_string(&plan).unwrap(), PLAN, "--check writes nothing");
        assert_eq!(run(folder.path(), &args(&[], false)).unwrap(), ExitCode::FAILURE, "one is broken");
        assert!(fs::read_to_string(&broken).unwrap().contains("start: b\n"));
        let text = fs::read_to_string(&plan).unwrap();
        assert!(text.starts_with("dialplan: 1  # one\nid: x\n"), "{text}");
        assert!(text.contains("a: [{hangup: \"Bye.\"}]\n"), "{text}");
        assert_eq!(run(folder.path(), &args(&[&plan], true)).unwrap(), ExitCode::SUCCESS);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
}
