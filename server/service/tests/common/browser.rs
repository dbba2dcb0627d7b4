//! A browser without JavaScript, and what stands on the pages that it gets.

use reqwest::{Method, StatusCode};

use super::Server;

/// A browser without JavaScript.
pub struct Browser<'a> {
    server: &'a Server,
    pub sign_in: String,
    /// What the last form left for the page after it.
    pub flash: Option<String>,
}

impl<'a> Browser<'a> {
    pub async fn open(server: &'a Server, account: &str) -> Self {
        Self { server, sign_in: server.sign_in(account).await, flash: None }
    }

    pub async fn page(&self, path: &str) -> String {
        let cookie = [Some(self.sign_in.clone()), self.flash.clone()].into_iter().flatten().collect::<Vec<_>>();
        let request = self.server.plain(Method::GET, path).header("cookie", cookie.join("; "));
        let response = request.header("accept", "text/html").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    /// Sends the form of a page with some fields changed, and gives the page that follows.
    pub async fn send(&mut self, path: &str, action: &str, typed: &[(&str, &str)]) -> String {
        let page = self.page(path).await;
        let read: Vec<(String, String)> = fields_of(&page);
        assert!(read.iter().any(|(name, _)| name == "slug"), "{path} has a form");
        let mut fields: Vec<(&str, &str)> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for (name, value) in typed {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        self.send_alone(path, action, &fields).await
    }

    /// Sends these fields and no others as the form of a page, and gives the page that follows.
    pub async fn send_alone(&mut self, path: &str, action: &str, typed: &[(&str, &str)]) -> String {
        let request = self.server.plain(Method::POST, action).header("cookie", &self.sign_in);
        let request = request.header("accept", "text/html,*/*").header("origin", &self.server.url);
        let request = request.header("referer", format!("{}{path}", self.server.url)).form(typed);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        let to = response.headers()["location"].to_str().unwrap().split('#').next().unwrap().to_owned();
        let flash = response.headers()["set-cookie"].to_str().unwrap();
        for (_, value) in typed.iter().filter(|(name, value)| name.contains("password") && !value.is_empty()) {
            assert!(!flash.contains(value), "the cookie has the password");
        }
        self.flash = Some(flash.split(';').next().unwrap().to_owned());
        self.page(&to).await
    }
}

/// The names and values of the form that would be sent as it is.
pub fn fields_of(page: &str) -> Vec<(String, String)> {
    let form = page
        .split("<form")
        .find(|form| form.contains("name=\"slug\"") && form.contains("name=\"etag\""))
        .unwrap_or_default();
    let form = form.split("</form>").next().unwrap();
    let mut fields = Vec::new();
    for (at, _) in form.match_indices(" name=\"") {
        let (tag, rest) = tag_at(form, at);
        if tag.starts_with("<button") {
            continue;
        }
        let name = attribute(tag, "name").unwrap();
        let value = if tag.starts_with("<textarea") {
            rest.split("</textarea>").next().unwrap().to_owned()
        } else if tag.starts_with("<select") {
            let options = rest.split("</select>").next().unwrap();
            let chosen = options.split("<option").find(|option| option.split('>').next().unwrap().contains("selected"));
            attribute(chosen.unwrap_or(options), "value").unwrap_or_default()
        } else if tag.contains("type=\"checkbox\"") && !tag.contains(" checked") {
            continue;
        } else {
            attribute(tag, "value").unwrap_or_default()
        };
        fields.push((name, value.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<")));
    }
    fields
}

/// The tag around a place, and what follows it.
fn tag_at(page: &str, at: usize) -> (&str, &str) {
    let from = page[..at].rfind('<').unwrap();
    let to = from + page[from..].find('>').unwrap();
    (&page[from..to], &page[to + 1..])
}

/// The tag of the field of this name.
pub fn tag<'a>(page: &'a str, name: &str) -> &'a str {
    let at = page.find(&format!(" name=\"{name}\"")).unwrap_or_else(|| panic!("there is no {name}"));
    tag_at(page, at).0
}

pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    Some(rest.split('"').next().unwrap().to_owned())
}

/// The message below the field that is marked as wrong, which is told with it.
pub fn wrong(page: &str) -> (String, String) {
    let marked: Vec<_> = page.match_indices("aria-invalid=\"true\"").collect();
    assert_eq!(marked.len(), 1, "one field is wrong");
    let tag = tag_at(page, marked[0].0).0;
    assert!(tag.contains(" autofocus"), "{tag}");
    // What describes it beside the message comes first.
    let id = attribute(tag, "aria-describedby").unwrap().split(' ').next_back().unwrap().to_owned();
    let at = page.find(&format!("id=\"{id}\"")).unwrap();
    assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "one element is called {id}");
    let message = page[at..].split("</div>").next().unwrap();
    assert!(message.contains("role=\"alert\""), "{message}");
    let text = message.split("<p").nth(1).unwrap().split('>').nth(1).unwrap().split('<').next().unwrap();
    (attribute(tag, "name").unwrap(), text.to_owned())
}

/// The words of a page, each element's on their own.
pub fn words(page: &str) -> String {
    let words = page.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
    words.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" | ")
}
