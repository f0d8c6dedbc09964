//! Runs every file of `cases/`, each in a house of its own.

use std::fs;
use std::path::Path;

use crate::case;
use crate::house::House;

/// The files with their texts, by name.
pub fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_holds_on_sqlite() {
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let house = House::open().await;
        match case::run(&house, &name, &text).await {
            Ok(()) => println!("ok {name}"),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
