use rcgen::{CertificateParams, Issuer, KeyPair};

use super::*;

/// A data directory with a server that is to show the certificate in these files.
struct Place {
    dir: tempfile::TempDir,
    config: Config,
}

impl Place {
    fn new(files: bool) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("data")).unwrap();
        let mut config = format!("listen = \"127.0.0.1:8443\"\ndir = {:?}\n", at("data"));
        if files {
            config.push_str(&format!("[tls]\ncert = {:?}\nkey = {:?}\n", at("cert"), at("key")));
        }
        fs::write(at("config"), config).unwrap();
        let config = Config::load(&at("config")).unwrap();
        Self { dir, config }
    }

    fn put(&self, certs: &[&str], key: &str) {
        fs::write(self.dir.path().join("cert"), certs.concat()).unwrap();
        fs::write(self.dir.path().join("key"), key).unwrap();
    }

    fn open(&self) -> Certificates {
        Certificates::open(&self.config).unwrap().unwrap()
    }

    fn has_next(&self) -> bool {
        self.config.dir.join(NEXT_FILE).exists()
    }
}

fn made(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

async fn look(certificates: &Certificates) -> Result<TakenUp, KeeperError> {
    match certificates.read_files().await? {
        Some(found) => certificates.take_up(&found),
        None => Ok(TakenUp::default()),
    }
}

#[tokio::test]
async fn a_pair_that_is_half_replaced_is_never_announced() {
    let place = Place::new(true);
    let ((old, old_key), (new, new_key)) = (made("old"), made("new"));
    place.put(&[&old], &old_key);
    let certificates = place.open();
    place.put(&[&new], &old_key);
    assert!(matches!(look(&certificates).await, Err(KeeperError::Tls(TlsError::Unusable(_)))));
    assert!(certificates.next().is_none() && !place.has_next());
    place.put(&[&new], &new_key);
    let next = look(&certificates).await.unwrap().next.unwrap();
    assert!(next.given && place.has_next());
    assert_eq!(look(&certificates).await.unwrap(), TakenUp::default(), "once");
    // Whoever puts the old one back is understood.
    place.put(&[&old], &old_key);
    let dropped = Some(next.fingerprint);
    assert_eq!(look(&certificates).await.unwrap(), TakenUp { next: None, dropped });
    assert!(certificates.next().is_none() && !place.has_next());
}

#[tokio::test]
async fn the_same_certificate_with_another_behind_it_is_shown_so() {
    let place = Place::new(true);
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let ca = CertificateParams::new(vec!["ca".to_owned()]).unwrap();
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let leaf = CertificateParams::new(vec!["leaf".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap().pem();
    place.put(&[&leaf], &key.serialize_pem());
    let certificates = place.open();
    let before = certificates.present().fingerprint;
    place.put(&[&leaf, &ca_pem], &key.serialize_pem());
    assert_eq!(look(&certificates).await.unwrap(), TakenUp::default());
    assert_eq!(certificates.present().fingerprint, before, "nobody needs to be told of another");
    let kept = Identity::load_from_dir(&place.config.dir).unwrap();
    assert_eq!(kept.chain().len(), 2, "over a restart too");
}

#[test]
fn a_next_one_that_cannot_be_used_is_in_nobodys_way() {
    let place = Place::new(false);
    drop(place.open());
    let ((cert, _), (_, key)) = (made("a"), made("b"));
    fs::write(place.config.dir.join(NEXT_FILE), cert + &key).unwrap();
    let certificates = place.open();
    assert!(certificates.next().is_none() && !place.has_next());
    let next = certificates.prepare("https://srv.example:8443").unwrap();
    assert!(next.facts.names.contains(&"srv.example".to_owned()), "{next:?}");
    let again = place.open();
    assert_eq!(again.next().map(|next| next.fingerprint), Some(next.fingerprint.clone()), "over a restart");
    assert!(matches!(again.replace("another"), Err(KeeperError::NoNext)));
    // Another one in the file, which nobody was told of.
    let ((cert, key), announced) = (made("c"), fs::read(place.config.dir.join(NEXT_FILE)).unwrap());
    fs::write(place.config.dir.join(NEXT_FILE), cert + &key).unwrap();
    assert!(matches!(again.replace(&next.fingerprint), Err(KeeperError::Another { .. })));
    assert_ne!(place.open().present().fingerprint, next.fingerprint);
    fs::write(place.config.dir.join(NEXT_FILE), announced).unwrap();
    let [_, now] = again.replace(&next.fingerprint).unwrap();
    assert_eq!((now, place.has_next()), (next.fingerprint.clone(), false));
    assert_eq!(place.open().present().fingerprint, next.fingerprint);
}

#[test]
fn a_first_certificate_that_was_cut_off_is_no_certificate() {
    let place = Place::new(false);
    fs::write(place.config.dir.join("server.pem.new"), "-----BEGIN CERT").unwrap();
    let certificates = place.open();
    assert_eq!(place.open().present().fingerprint, certificates.present().fingerprint);
}
