//! `--cert` and `--key`.

use super::support::program::{Folder, Ran, fetchpool};
use super::support::script::ok;
use super::support::tls::{Ca, Demand, Identity, Then, TlsServer};
use super::{all_told, refused};

/// A server that lets in whom its authority vouches for.
fn server(ca: &Ca) -> TlsServer {
    TlsServer::asking(ca.good(), rustls::ALL_VERSIONS, ca, Demand::Always, |request| {
        Then::Keep.after(ok(request.target()))
    })
}

/// That no line of a key was said.
#[track_caller]
fn nothing_of(key: &str, said: &str) {
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        assert!(line.len() < 8 || !said.contains(line), "{said}");
    }
}

fn was_let_in(ran: &Ran, lines: usize) {
    assert_eq!((all_told(ran), ran.status), (vec!["200".to_owned(); lines], 0), "{}", ran.stdout);
}

#[test]
fn a_certificate_and_its_key_come_from_two_files_or_from_one() {
    let (ca, folder) = (Ca::new(), Folder::new("cert"));
    let (me, server) = (ca.good(), server(&ca));
    let (chain, key) = (me.chain_pem(), me.key_pem());
    let roots = folder.file("ca.pem", ca.pem().as_bytes());
    let certificate = folder.file("me.pem", chain.as_bytes());
    let own_key = folder.file("me.key", key.as_bytes());
    let both = folder.file("both.pem", format!("{chain}{key}").as_bytes());
    let turned = folder.file("turned.pem", format!("{key}{chain}").as_bytes());
    let url = server.url("/");
    for given in [
        &["--cert", &certificate, "--key", &own_key][..],
        &["--key", &own_key, "--cert", &certificate],
        &["--cert", &both],
        &["--cert", &turned],
        &["--cert", &both, "--key", &both],
    ] {
        let ran = fetchpool(&[given, &["--ca-file", &roots, &url]].concat(), b"");
        was_let_in(&ran, 1);
        assert_eq!(server.clients().pop().unwrap().as_ref(), Some(me.der()));
    }
    let ran = fetchpool(&["--ca-file", &roots, &url], b"");
    assert_eq!((ran.status, &all_told(&ran)[0] == "200"), (1, false), "{}", ran.stdout);
}

#[test]
fn what_can_be_read_once_only_is_enough_for_every_thread() {
    let (ca, folder) = (Ca::new(), Folder::new("cert-pipe"));
    let (me, server) = (ca.good(), server(&ca));
    let roots = folder.file("ca.pem", ca.pem().as_bytes());
    let url = server.url("/");
    let pem = format!("{}{}", me.chain_pem(), me.key_pem());
    let options = ["--cert", "/dev/stdin", "--ca-file", &roots, "--threads", "4"];
    let ran = fetchpool(&[&options[..], &[url.as_str(); 8]].concat(), pem.as_bytes());
    was_let_in(&ran, 8);
}

#[test]
fn a_certificate_or_key_that_cannot_be_used_is_a_usage_error_that_shows_nothing_of_it() {
    let (ca, folder) = (Ca::new(), Folder::new("cert-bad"));
    let (me, other, server) = (ca.good(), Identity::self_signed(), server(&ca));
    let roots = folder.file("ca.pem", ca.pem().as_bytes());
    let certificate = folder.file("me.pem", me.chain_pem().as_bytes());
    let key = folder.file("me.key", me.key_pem().as_bytes());
    let of_another = folder.file("other.key", other.key_pem().as_bytes());
    let in_one_line = me.key_pem().replace('\n', " ");
    let in_one_line = folder.file("line.key", in_one_line.as_bytes());
    let cut = me.key_pem();
    let cut = folder.file("cut.key", &cut.as_bytes()[..cut.len() - 30]);
    let encrypted = me.key_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let encrypted = folder.file("encrypted.key", encrypted.as_bytes());
    let empty = folder.file("empty.pem", b"");
    let url = server.url("/");
    for (given, named) in [
        (&["--cert", "/no/such/cert"][..], "/no/such/cert"),
        (&["--cert", &certificate, "--key", "/no/such/key"], "/no/such/key"),
        (&["--cert", super::path(&folder)], "--cert"),
        (&["--cert", &empty], "empty.pem"),
        (&["--cert", &certificate], "me.pem"),
        (&["--cert", &key], "me.key"),
        (&["--cert", &key, "--key", &certificate], "me.key"),
        (&["--cert", &certificate, "--key", &of_another], "other.key"),
        (&["--cert", &certificate, "--key", &in_one_line], "line.key"),
        (&["--cert", &certificate, "--key", &cut], "cut.key"),
        (&["--cert", &certificate, "--key", &encrypted], "encrypted.key"),
    ] {
        let said = refused(&[given, &["--ca-file", &roots, &url]].concat());
        assert!(said.contains(named), "{given:?}: {said}");
        for key in [me.key_pem(), other.key_pem()] {
            nothing_of(&key, &said);
        }
    }
    assert_eq!(server.connections(), 0);
    // Whose fault it is, is told also where there are several.
    let said = refused(&["--ca-file", &empty, "--cert", &certificate, "--key", &key, &url]);
    assert!(said.contains("--ca-file") && said.contains("empty.pem"), "{said}");
    assert!(!said.contains("me.pem"), "{said}");
}
