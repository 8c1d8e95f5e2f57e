//! Who vouches for a certificate, for what, and for how long.

use fetchpool::Session;
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, NameConstraints, date_time_ymd,
};

use super::support::tls::{Ca, Identity, TlsServer};
use super::{get, is_refused, trusting_config};

const HOST: &str = "localhost";

#[test]
fn an_authority_in_between_vouches_if_its_certificate_comes_along() {
    let ca = Ca::new();
    let between = ca.vouched_for(|_| {});
    let below = between.vouched_for(|params| {
        params.distinguished_name.push(DnType::CommonName, "further down");
    });
    assert!(get(&ca, between.good().with(&between), HOST).is_ok());
    assert!(get(&ca, below.good().with(&below).with(&between), HOST).is_ok());
    // In whatever order, and with some that nobody needs.
    assert!(get(&ca, below.good().with(&Ca::new()).with(&between).with(&below), HOST).is_ok());
    is_refused(get(&ca, between.good(), HOST));
    is_refused(get(&ca, below.good().with(&below), HOST));
    is_refused(get(&ca, below.good().with(&between), HOST));
}

#[test]
fn only_an_authority_vouches_for_others() {
    let ca = Ca::new();
    // A server's own certificate, with which its owner signs for somebody else.
    for no_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let server = ca.vouched_for(|params| params.is_ca = no_ca);
        is_refused(get(&ca, server.good().with(&server), HOST));
    }
    // It may vouch for servers, and not for other authorities.
    let last = ca.vouched_for(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    assert!(get(&ca, last.good().with(&last), HOST).is_ok());
    let below = last.vouched_for(|params| {
        params.distinguished_name.push(DnType::CommonName, "further down");
    });
    is_refused(get(&ca, below.good().with(&below).with(&last), HOST));
}

#[test]
fn an_authority_vouches_for_the_names_that_it_may() {
    let ca = Ca::new();
    let subtree = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let only = |permitted: &[&str], excluded: &[&str]| {
        let constraints = NameConstraints {
            permitted_subtrees: permitted.iter().map(|&name| subtree(name)).collect(),
            excluded_subtrees: excluded.iter().map(|&name| subtree(name)).collect(),
        };
        ca.vouched_for(|params| params.name_constraints = Some(constraints))
    };
    for (permitted, excluded, name, good) in [
        (&["a.test"][..], &[][..], "x.a.test", true),
        (&["a.test"], &[], "x.b.test", false),
        (&["a.test"], &[], "*.a.test", true),
        // It would be good for x.a.test, and that is not all.
        (&["y.a.test"], &[], "*.a.test", false),
        (&[], &["a.test"], "x.a.test", false),
        (&[], &["a.test"], "*.a.test", false),
        (&["a.test"], &["x.a.test"], "x.a.test", false),
    ] {
        let between = only(permitted, excluded);
        let host = if name == "x.b.test" { name } else { "x.a.test" };
        let result = get(&ca, between.issue(&[name], |_| {}).with(&between), host);
        assert_eq!(result.is_ok(), good, "{name} of {permitted:?} without {excluded:?}");
    }
}

#[test]
fn time_is_up_for_an_authority_in_between_too() {
    let ca = Ca::new();
    for (from, to) in [(2001, 2002), (3001, 3002)] {
        let between = ca.vouched_for(|params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        });
        is_refused(get(&ca, between.good().with(&between), HOST));
    }
}

#[test]
fn a_certificate_for_another_use_is_refused() {
    use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    let ca = Ca::new();
    let for_uses = |uses: &[ExtendedKeyUsagePurpose]| {
        ca.issue(&[HOST], |params| params.extended_key_usages = uses.to_vec())
    };
    for good in [&[][..], &[ServerAuth], &[ClientAuth, ServerAuth]] {
        assert!(get(&ca, for_uses(good), HOST).is_ok(), "{good:?}");
    }
    for bad in [&[ClientAuth][..], &[ClientAuth, CodeSigning]] {
        is_refused(get(&ca, for_uses(bad), HOST));
    }
    let between = ca.vouched_for(|params| params.extended_key_usages = vec![ClientAuth]);
    is_refused(get(&ca, between.good().with(&between), HOST));
}

#[test]
fn an_authority_is_no_server() {
    let ca = Ca::new();
    let as_ca = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    is_refused(get(&ca, ca.issue(&[HOST], as_ca), HOST));
    is_refused(get(&ca, Identity::self_signed_but(as_ca), HOST));
}

#[test]
fn a_critical_word_that_is_not_understood_is_a_refusal() {
    let ca = Ca::new();
    for (critical, good) in [(false, true), (true, false)] {
        let between = ca.vouched_for(|params| {
            let oid = &[1, 3, 6, 1, 4, 1, 1];
            let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
            extension.set_criticality(critical);
            params.custom_extensions.push(extension);
        });
        assert_eq!(get(&ca, between.good().with(&between), HOST).is_ok(), good);
    }
}

#[test]
fn a_namesake_of_the_authority_vouches_for_nothing() {
    let (ca, namesake) = (Ca::new(), Ca::new());
    is_refused(get(&ca, namesake.good().with(&namesake), HOST));
    is_refused(get(&ca, namesake.good().with(&ca), HOST));
}

/// As SECURITY.md says: nobody is asked whether a certificate was revoked.
#[test]
fn whether_a_certificate_was_revoked_is_not_asked() {
    let ca = Ca::new();
    let list = "http://127.0.0.1:1/list.crl".to_owned();
    let with_list = ca.issue(&[HOST], |params| {
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![list] }];
    });
    assert!(get(&ca, with_list, HOST).is_ok());
    // `status_request` in a TLS feature extension (RFC 7633), and no OCSP response with it.
    let must_staple =
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]);
    let without_staple = ca.issue(&[HOST], |params| params.custom_extensions.push(must_staple));
    assert!(get(&ca, without_staple, HOST).is_ok());
}

#[test]
fn no_request_is_sent_before_the_certificate_is_good() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.issue(&["other.test"], |_| {}));
    let mut session = Session::new(trusting_config(&ca)).unwrap();
    for _ in 0..3 {
        is_refused(session.request(server.named_url("/secret?key=1")));
    }
    assert_eq!((server.full(), server.resumed(), server.requests().len()), (0, 0, 0));
}
