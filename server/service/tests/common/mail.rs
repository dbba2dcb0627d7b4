//! A real mail server for a test: aiosmtpd, by Debian's Python, with STARTTLS or TLS and one account.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Its one account.
pub const USER: &str = "userlock@example.com";
pub const PASSWORD: &str = "correct-horse-7";

/// The server: it writes each message that it takes to a file of its own, and says on which port it listens.
const PROGRAM: &str = r#"
import asyncio, json, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

mode, folder, cert, key, user, password = sys.argv[1:]

class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 there is no nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        name = os.path.join(folder, "message-%d.json" % len(os.listdir(folder)))
        with open(name + ".part", "w") as out:
            json.dump({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None or mode == "tls",
                       "authenticated": session.authenticated, "text": envelope.content.decode()}, out)
        os.rename(name + ".part", name)
        return "250 2.0.0 taken"

def check(server, session, envelope, mechanism, data):
    right = data.login.decode() == user and data.password.decode() == password
    return AuthResult(success=right, handled=right)

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
options = dict(hostname="127.0.0.1", port=0)
if mode == "tls":
    options.update(ssl_context=context, authenticator=check, auth_required=True, auth_require_tls=False)
elif mode == "starttls":
    options.update(tls_context=context, require_starttls=True, authenticator=check, auth_required=True)

async def serve():
    loop = asyncio.get_running_loop()
    tls = options.pop("ssl_context", None)
    smtp = {name: value for name, value in options.items() if name not in ("hostname", "port")}
    server = await loop.create_server(lambda: SMTP(Keep(), enable_SMTPUTF8=True, **smtp), "127.0.0.1", 0, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(serve())
"#;

/// A mail server that ends with the test.
pub struct MailServer {
    pub port: u16,
    folder: PathBuf,
    child: Child,
}

/// An authority of a test and the certificate of `localhost` and 127.0.0.1 by it: the files of the authority, the
/// certificate and the key.
pub fn certificates(dir: &Path) -> [PathBuf; 3] {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let authority = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    [
        write("authority.pem", authority_pem),
        write("mail.pem", certificate.pem()),
        write("mail.key", key.serialize_pem()),
    ]
}

impl MailServer {
    /// Starts one: `none`, `starttls` (it takes nothing without), or `tls`. The folder has the certificate and takes up
    /// what arrives.
    pub fn start(dir: &Path, mode: &str) -> Self {
        let folder = dir.join(format!("mail-{mode}"));
        fs::create_dir(&folder).unwrap();
        let program = dir.join("mail.py");
        fs::write(&program, PROGRAM).unwrap();
        let mut child = Command::new("/usr/bin/python3")
            .arg(&program)
            .arg(mode)
            .arg(&folder)
            .args([dir.join("mail.pem"), dir.join("mail.key")])
            .args([USER, PASSWORD])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("this test needs Debian's Python: apt-get install python3 python3-aiosmtpd");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse();
        let port = port.expect("this test needs the mail server aiosmtpd: apt-get install python3-aiosmtpd");
        Self { port, folder, child }
    }

    /// The messages that it took.
    pub fn messages(&self) -> Vec<serde_json::Value> {
        let mut files: Vec<_> = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
