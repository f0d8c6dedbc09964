//! The same cases on a real PostgreSQL: a private cluster in a temporary folder, on a unix socket, gone afterwards.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::case;
use crate::cases::files;
use crate::house::House;

const USER: &str = "postgres";

struct Cluster {
    folder: TempDir,
    programs: PathBuf,
}

/// Debian keeps the programs out of PATH, a folder a version.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql").ok()?.map(|entry| entry.unwrap().path().join("bin")).collect();
    found.sort();
    found.into_iter().rev().find(|folder| folder.join("initdb").exists())
}

fn is_root(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| metadata.uid() == 0)
}

impl Cluster {
    fn start(programs: PathBuf) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        if is_root(folder.path()) {
            let id = Command::new("id").args(["-u", USER]).output().unwrap();
            let uid: u32 = String::from_utf8(id.stdout).unwrap().trim().parse().unwrap();
            chown(folder.path(), Some(uid), None).unwrap();
        }
        let cluster = Cluster { folder, programs };
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-A", "trust", "-U", USER, "--no-sync", "--locale=C.UTF-8"]);
        let options = format!("-k {} -c listen_addresses='' -c fsync=off", cluster.folder.path().display());
        let log = cluster.folder.path().join("log").display().to_string();
        cluster.run("pg_ctl", &["-D", &data, "-w", "-l", &log, "-o", &options, "start"]);
        cluster
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn command(&self, program: &str, args: &[&str]) -> Output {
        let program = self.programs.join(program);
        let mut command = if is_root_user() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).args(args).output().unwrap()
    }

    fn run(&self, program: &str, args: &[&str]) {
        let output = self.command(program, args);
        assert!(
            output.status.success(),
            "{program}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A database of its own for each case.
    fn database(&self, name: &str) -> String {
        let socket = self.folder.path().display().to_string();
        self.run("createdb", &["-h", &socket, "-U", USER, name]);
        format!("postgres://{USER}@localhost/{name}?host={socket}")
    }
}

fn is_root_user() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        let _ = self.command("pg_ctl", &["-D", &data, "-m", "immediate", "stop"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_holds_on_postgresql() {
    let Some(programs) = programs() else {
        println!("SKIPPED: PostgreSQL (Debian: apt install postgresql)");
        return;
    };
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(programs)).await.unwrap();
    let mut wrong = Vec::new();
    for (number, (name, text)) in files().into_iter().enumerate() {
        let url = cluster.database(&format!("case{number}"));
        let house = House::on(Some(&url)).await;
        match case::run(&house, &name, &text).await {
            Ok(()) => println!("ok {name}"),
            Err(why) => wrong.push(why),
        }
        house.store.close().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
