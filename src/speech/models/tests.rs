//! Models from a mirror folder and from a web server that breaks off.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;

use super::*;

const BODY: &[u8] = b"a model of sixty-four bytes, which is enough to be broken off....";

fn entry(sum: Option<&str>, url: Option<String>) -> Entry {
    let file = File { path: "a.bin".into(), url, bytes: None, sha256: sum.map(str::to_owned) };
    Entry {
        name: "toy".into(),
        engine: "whisper".into(),
        lang: vec!["*".into()],
        licence: "none".into(),
        home: "here".into(),
        about: "a toy".into(),
        fixture: true,
        files: vec![file],
    }
}

fn true_sum() -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(BODY))
}

/// A server of the file that knows ranges.
async fn serve() -> SocketAddr {
    let answer = |headers: HeaderMap| async move {
        let from =
            headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        match from {
            Some(from) => (StatusCode::PARTIAL_CONTENT, Body::from(BODY[from..].to_vec())),
            None => (StatusCode::OK, Body::from(BODY)),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/toy/a.bin", get(answer))).await });
    address
}

#[test]
fn the_built_in_list_is_sound() {
    let manifest = Manifest::read(Path::new("/nowhere")).unwrap();
    assert!(manifest.find("whisper-base").is_ok());
    let zh = manifest.find("kws-zipformer-zh-wenetspeech-3.3M").unwrap();
    assert!(zh.files.iter().all(|file| file.sha256.as_ref().is_some_and(|sum| sum.len() == 64)));
    let unknown = manifest.find("whisper-giant").unwrap_err().to_string();
    assert!(unknown.contains("'whisper-giant'") && unknown.contains("whisper-tiny"), "{unknown}");
}

#[test]
fn a_list_that_leads_out_of_its_folder_is_refused() {
    let text = BUILT_IN.replace("name = \"mini-whisper\"", "name = \"../mini-whisper\"");
    assert!(Manifest::parse(&text, "x").unwrap_err().to_string().contains("leads out"));
}

fn from(mirror: &Mirror) -> Origin<'_> {
    Origin { mirror: Some(mirror), sha256: None }
}

#[tokio::test]
async fn a_mirror_folder_gives_the_file_and_its_own_sum_which_is_pinned() {
    let (folder, models) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(folder.path().join("toy")).unwrap();
    std::fs::write(folder.path().join("toy/a.bin"), BODY).unwrap();
    let toy = entry(None, None);
    let mirror = Mirror::parse(folder.path().to_str().unwrap());
    let why = pull(&toy, models.path(), from(&mirror), &mut |_, _, _| {}).await.unwrap_err().to_string();
    assert!(why.contains("--sha256") && why.contains("toy/a.bin"), "{why}");
    assert!(!models.path().join("toy").exists(), "nothing was fetched");
    std::fs::write(folder.path().join("SHA256SUMS"), format!("{}  toy/a.bin\n", true_sum())).unwrap();
    let pinned = pull(&toy, models.path(), from(&mirror), &mut |_, _, _| {}).await.unwrap();
    assert_eq!(pinned, [("a.bin".to_owned(), true_sum())]);
    assert_eq!(toy.standing(models.path(), &mut |_| {}).unwrap()[0].1, Standing::Right);
    std::fs::write(models.path().join("toy/a.bin"), b"changed").unwrap();
    assert!(matches!(toy.standing(models.path(), &mut |_| {}).unwrap()[0].1, Standing::Wrong(_)));
    assert_eq!(pull(&toy, models.path(), from(&mirror), &mut |_, _, _| {}).await.unwrap(), []);
    assert_eq!(toy.standing(models.path(), &mut |_| {}).unwrap()[0].1, Standing::Right, "fetched again");
}

#[tokio::test]
async fn a_sum_on_the_command_line_is_held_to_and_a_bad_one_refused() {
    let models = tempfile::tempdir().unwrap();
    let toy = entry(None, Some(format!("http://{}/toy/a.bin", serve().await)));
    let with = |sha256| Origin { mirror: None, sha256: Some(sha256) };
    let (wrong, right) = ("0".repeat(64), true_sum().to_uppercase());
    for (sum, said) in [("abc", "64 hex digits"), (wrong.as_str(), "removed")] {
        let why = pull(&toy, models.path(), with(sum), &mut |_, _, _| {}).await.unwrap_err().to_string();
        assert!(why.contains(said), "{why}");
    }
    assert_eq!(pull(&toy, models.path(), with(&right), &mut |_, _, _| {}).await.unwrap(), [("a.bin".to_owned(), true_sum())]);
    let why = pull(&entry(Some(&right), None), models.path(), with(&right), &mut |_, _, _| {}).await.unwrap_err().to_string();
    assert!(why.contains("exactly one file"), "{why}");
}

#[tokio::test]
async fn a_transfer_that_broke_off_goes_on() {
    let models = tempfile::tempdir().unwrap();
    std::fs::create_dir(models.path().join("toy")).unwrap();
    std::fs::write(models.path().join("toy/a.bin.part"), &BODY[..20]).unwrap();
    let toy = entry(Some(&true_sum()), None);
    let mirror = Mirror::Url(format!("http://{}", serve().await));
    let mut first = None;
    pull(&toy, models.path(), from(&mirror), &mut |_, done, all| {
        first.get_or_insert((done, all));
    })
    .await
    .unwrap();
    assert_eq!(std::fs::read(models.path().join("toy/a.bin")).unwrap(), BODY);
    assert!(first.unwrap().0 > 20, "it began anew");
}

#[tokio::test]
async fn a_wrong_sum_is_told_and_the_file_is_removed() {
    let models = tempfile::tempdir().unwrap();
    let wrong = "0".repeat(64);
    let toy = entry(Some(&wrong), Some(format!("http://{}/toy/a.bin", serve().await)));
    let why = pull(&toy, models.path(), Origin::default(), &mut |_, _, _| {}).await.unwrap_err().to_string();
    assert!(why.contains(&wrong) && why.contains(&true_sum()) && why.contains("removed"), "{why}");
    assert_eq!(std::fs::read_dir(models.path().join("toy")).unwrap().count(), 0);
    let nobody = pull(&entry(Some(&true_sum()), None), models.path(), Origin::default(), &mut |_, _, _| {}).await.unwrap_err().to_string();
    assert!(nobody.contains("--mirror"), "{nobody}");
}

#[tokio::test]
async fn a_mirror_without_the_file_says_so_and_how_a_mirror_looks() {
    let models = tempfile::tempdir().unwrap();
    let toy = entry(Some(&true_sum()), None);
    let folder = Mirror::parse("/nowhere");
    let address = format!("http://{}/elsewhere", serve().await);
    for (mirror, said) in
        [(folder, "/nowhere/toy/a.bin".to_owned()), (Mirror::parse(&address), format!("{address}/toy/a.bin was answered with 404"))]
    {
        let why = pull(&toy, models.path(), from(&mirror), &mut |_, _, _| {}).await.unwrap_err().to_string();
        assert!(why.contains(&said) && why.contains("<name>/<file>") && !why.contains("goes on"), "{why}");
    }
}

#[test]
fn a_model_that_broke_off_is_there_in_part() {
    let models = tempfile::tempdir().unwrap();
    let toy = entry(None, None);
    assert_eq!(toy.presence(models.path()), Presence::Absent);
    std::fs::create_dir(models.path().join("toy")).unwrap();
    std::fs::write(models.path().join("toy/a.bin.part"), b"x").unwrap();
    assert_eq!(toy.presence(models.path()), Presence::Part);
    std::fs::rename(models.path().join("toy/a.bin.part"), models.path().join("toy/a.bin")).unwrap();
    assert_eq!(toy.presence(models.path()), Presence::Here);
}
