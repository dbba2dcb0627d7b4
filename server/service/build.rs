//! Embeds what the browser gets: the site that was built from `app/`, or without one the style sheets and `public/`,
//! with which every page works without JavaScript.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// One file for the browser.
struct Asset {
    /// Its address.
    path: String,
    /// Where it is now.
    file: PathBuf,
}

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?).join("../..");
    println!("cargo::rerun-if-env-changed=USERLOCK_SITE");
    // OUT_DIR is TARGET/PROFILE/build/CRATE/out.
    let site = env::var_os("USERLOCK_SITE").map_or_else(|| out.join("../../../../site"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", site.display());
    let mut assets = Vec::new();
    if site.join("style.css").is_file() {
        collect(&site, "", &mut assets)?;
    } else {
        println!("cargo::rerun-if-changed={}", root.join("style").display());
        println!("cargo::rerun-if-changed={}", root.join("public").display());
        collect(&root.join("public"), "", &mut assets)?;
        let sheet = out.join("style.css");
        fs::write(&sheet, style_sheets(&root.join("style"))?)?;
        assets.push(Asset { path: "/style.css".into(), file: sheet });
    }
    assets.sort_by(|a, b| a.path.cmp(&b.path));
    fs::write(out.join("assets.rs"), table(&assets)?)
}

/// All style sheets as one: the tokens, then the others by name.
fn style_sheets(dir: &Path) -> io::Result<String> {
    let mut assets = Vec::new();
    if dir.is_dir() {
        collect(dir, "", &mut assets)?;
    }
    assets.retain(|asset| asset.path.ends_with(".css"));
    assets.sort_by_key(|asset| (asset.path != "/tokens.css", asset.path.clone()));
    assets.iter().map(|asset| fs::read_to_string(&asset.file)).collect()
}

/// Every file below a directory, hidden ones left out.
fn collect(dir: &Path, prefix: &str, assets: &mut Vec<Asset>) -> io::Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}/{name}");
        if name.starts_with('.') {
            continue;
        } else if entry.file_type()?.is_dir() {
            collect(&entry.path(), &path, assets)?;
        } else {
            assets.push(Asset { path, file: entry.path() });
        }
    }
    Ok(())
}

/// The table as Rust.
fn table(assets: &[Asset]) -> io::Result<String> {
    let include = |file: &Path| -> io::Result<String> { Ok(format!("include_bytes!({:?})", file.canonicalize()?)) };
    let mut text = String::from("static ASSETS: &[Asset] = &[\n");
    for asset in assets {
        if asset.path.ends_with(".br") || asset.path.ends_with(".gz") {
            continue;
        }
        let compressed = |suffix: &str| {
            let path = format!("{}{suffix}", asset.path);
            match assets.iter().find(|other| other.path == path) {
                Some(other) => Ok::<_, io::Error>(format!("Some({})", include(&other.file)?)),
                None => Ok("None".to_owned()),
            }
        };
        text.push_str(&format!(
            "    Asset {{ path: {:?}, plain: {}, br: {}, gz: {} }},\n",
            asset.path,
            include(&asset.file)?,
            compressed(".br")?,
            compressed(".gz")?
        ));
    }
    text.push_str("];\n");
    Ok(text)
}
