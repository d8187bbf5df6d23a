//! The program as a user runs it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use rstest::rstest;

const FILES: [&str; 7] = [
    "root.pem",
    "subordinate.pem",
    "server.pem",
    "server-rsa2048.key",
    "server-other.pem",
    "wrong-root.pem",
    "global-bundle.pem",
];

#[test]
fn it_writes_the_files_and_says_what_each_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/pki");
    let output = certs_gen(&out, &["--host", "db.example.com"]);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines.len(), FILES.len());
    for (line, file) in lines.iter().zip(FILES) {
        let path = out.join(file);
        assert!(line.starts_with(&format!("{}: ", path.display())), "{line}");
        assert!(path.is_file(), "{line}");
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), FILES.len());
    let key = fs::metadata(out.join("server-rsa2048.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let leaf = openssl::x509::X509::from_pem(&fs::read(out.join("server.pem")).unwrap()).unwrap();
    let names = leaf.subject_alt_names().unwrap();
    assert_eq!(names[0].dnsname(), Some("db.example.com"));
}

#[test]
fn it_writes_other_shapes_of_leaf_besides() {
    let folder = tempfile::tempdir().unwrap();
    let output = certs_gen(
        folder.path(),
        &["--leaf", "expired,p384", "--leaf", "right"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for file in ["server-expired.pem", "server-p384.pem", "server-ecc384.key"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    // `right` and the key of `expired` are written without being asked for.
    let written = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(written, FILES.len() + 3);
}

#[test]
fn it_replaces_files_only_when_forced() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("global-bundle.pem");
    fs::write(&mine, "mine").unwrap();

    let refused = certs_gen(folder.path(), &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains(mine.to_str().unwrap()));
    assert!(stderr(&refused).contains("--force"));
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let forced = certs_gen(folder.path(), &["--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert_ne!(fs::read_to_string(&mine).unwrap(), "mine");
}

#[rstest]
#[case(&["--host", "127.0.0.1"], "127.0.0.1")]
#[case(&["--host", ""], "DNS name")]
#[case(&["--no-such"], "--no-such")]
#[case(&["--leaf", "round"], "valid: right, other, leaf-only")]
fn what_cannot_be_done_ends_with_2(#[case] arguments: &[&str], #[case] named: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = certs_gen(&folder.path().join("out"), arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(named), "{}", stderr(&output));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_folder_that_cannot_be_made_ends_with_2() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = certs_gen(file.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(file.path().to_str().unwrap()));
}

fn certs_gen(out: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_certs-gen"))
        .arg("--out")
        .arg(out)
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
