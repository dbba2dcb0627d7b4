use super::*;

fn read(text: &str) -> Result<Config, String> {
    read_with(text, &[])
}

fn read_with(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::read(Path::new("/etc/userlock/userlock.toml"), text, env).map_err(|e| e.to_string())
}

const MINIMAL: &str = "listen = \"127.0.0.1:8443\"\ndir = \"data\"\n";

#[test]
fn what_is_not_said_has_a_default_and_paths_begin_at_the_file() {
    let config = read(MINIMAL).unwrap();
    assert_eq!(config.dir, Path::new("/etc/userlock/data"));
    assert_eq!(config.public_url, "https://127.0.0.1:8443");
    assert_eq!((config.tls, config.plain_http), (None, false));
    assert_eq!((config.log.filter.as_str(), config.log.format), ("info", LogFormat::Text));
}

#[test]
fn the_environment_wins_over_the_file() {
    let env = [("USERLOCK_LISTEN", "[::1]:9000"), ("USERLOCK_PLAIN_HTTP", "true"), ("USERLOCK_LOG_FORMAT", "json")];
    let config = read_with(MINIMAL, &env).unwrap();
    assert_eq!(config.public_url, "http://[::1]:9000");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(
        read_with("", &[("USERLOCK_LISTEN", "127.0.0.1:1"), ("USERLOCK_DIR", "/d")]).unwrap().dir,
        Path::new("/d")
    );
    assert!(read_with(MINIMAL, &[("USERLOCK_TEST_ANYTHING", "1"), ("USERLOCK_SITE", "x")]).is_ok());
}

#[test]
fn an_error_names_line_key_and_reason() {
    let cases = [
        ("listen = \"nonsense\"\ndir = \"d\"", "line 1: key `listen`: invalid socket address syntax"),
        ("dir = \"d\"\nlisten = 8443", "line 2: key `listen`: invalid type: integer `8443`, expected a string"),
        ("# a comment\nlissten = \"127.0.0.1:1\"", "line 2: key `lissten`: unknown field `lissten`"),
        (
            "listen = \"127.0.0.1:1\"\ndir = \"d\"\n[log]\nformat = \"xml\"",
            "line 4: key `log.format`: unknown variant `xml`",
        ),
        (
            "listen = \"127.0.0.1:1\"\ndir = \"d\"\n[log]\nfilter = \"a=b=c\"",
            "line 4: key `log.filter`: must be a filter",
        ),
        (
            "listen = \"127.0.0.1:1\"\ndir = \"d\"\npublic_url = \"server\"",
            "line 3: key `public_url`: must be an address",
        ),
        ("listen = \"127.0.0.1:1\"\nname = \"\"", "line 2: key `name`: must have 1 to 64"),
        ("listen = \"127.0.0.1:1", "line 1: key `listen`: "),
        ("dir = \"d\"", "`listen` is missing"),
        ("listen = \"127.0.0.1:1\"", "`dir` is missing"),
        ("listen = \"127.0.0.1:1\"\ndir = \"d\"\n[tls]\ncert = \"c\"", "`tls.key` is missing"),
        ("listen = \"0.0.0.0:1\"\ndir = \"d\"\nplain_http = true", "`plain_http` is for a loopback address"),
        (
            "listen = \"127.0.0.1:1\"\ndir = \"d\"\npublic_url = \"http://a.example:1\"",
            "`public_url` must begin with https://, since this server speaks TLS: it is http://a.example:1",
        ),
        (
            "listen = \"127.0.0.1:1\"\ndir = \"d\"\nplain_http = true\npublic_url = \"https://a.example:1\"",
            "`public_url` must begin with http://, since this server speaks plain HTTP: it is https://a.example:1",
        ),
    ];
    for (text, expected) in cases {
        let error = read(text).unwrap_err();
        assert!(error.contains(expected), "{error}\nlacks\n{expected}");
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let error = |env: (&str, &str)| read_with(MINIMAL, &[env]).unwrap_err();
    assert!(error(("USERLOCK_LISTEN", "x")).starts_with("environment, USERLOCK_LISTEN: invalid socket"));
    assert!(
        error(("USERLOCK_PLAIN_HTTP", "yes")).starts_with("environment, USERLOCK_PLAIN_HTTP: provided string was not")
    );
    assert!(error(("USERLOCK_LOG_JOURNALD", "on")).contains("unknown variant `on`"));
    assert!(error(("USERLOCK_LITSEN", "x")).contains("there is no such setting"));
}
