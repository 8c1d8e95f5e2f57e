//! Proxies by the environment's variables. Pure but for the one function that reads them.

use super::choice::Proxies;
use super::setting::Proxy;

impl Proxies {
    /// The proxies that the environment names, as it is now: `http_proxy` for `http` URLs,
    /// `https_proxy` for `https` URLs, `all_proxy` where there is no such, and `no_proxy`.
    ///
    /// Small letters come before capital ones, and an empty variable counts as none, as curl has it.
    /// `HTTP_PROXY` is not looked at where there is a `REQUEST_METHOD`: in a CGI program it is a
    /// field of somebody's request. A value that cannot be read is the error of each request that
    /// would use it.
    #[must_use]
    pub fn from_env() -> Self {
        // A value that is no text is no URL either: it is kept as far as it is text, and told of.
        from_lookup(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }
}

/// The proxies, by whoever knows the variables.
fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Proxies {
    // An empty variable is as good as none, as for curl and Go.
    let variable = |name: &'static str| {
        let value = lookup(name)?;
        (!value.trim().is_empty()).then_some((name, value))
    };
    let proxy = |names: &[&'static str]| {
        let (name, value) = names.iter().find_map(|name| variable(name))?;
        Some(Proxy::read(&value, &format!("{name}, the proxy")))
    };
    // A CGI program's HTTP_PROXY is the `Proxy` field of whoever sent the request (CVE-2016-5385).
    // Where the system does not tell letter cases apart, http_proxy is the same variable.
    let http = match variable("REQUEST_METHOD") {
        None => proxy(&["http_proxy", "HTTP_PROXY"]),
        Some(_) if cfg!(windows) => None,
        Some(_) => proxy(&["http_proxy"]),
    };
    let https = proxy(&["https_proxy", "HTTPS_PROXY"]);
    let all = proxy(&["all_proxy", "ALL_PROXY"]);
    let mut proxies = Proxies::new();
    if let Some(proxy) = http.or_else(|| all.clone()) {
        proxies.http(proxy);
    }
    if let Some(proxy) = https.or(all) {
        proxies.https(proxy);
    }
    if let Some((_, list)) = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable) {
        proxies.no_proxy(list);
    }
    proxies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Target;

    /// What is chosen for `http://h/` and `https://h/`.
    fn chosen(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let proxies = from_lookup(|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        });
        ["http://h/", "https://h/"].map(|url| {
            let chosen = proxies.choose(&Target::parse(url).unwrap()).unwrap();
            chosen.map(|proxy| proxy.to_string())
        })
    }

    #[test]
    fn each_variable_means_what_it_means_to_curl() {
        for (variables, http, https) in [
            (&[][..], None, None),
            (&[("http_proxy", "a")], Some("http://a:80"), None),
            (&[("HTTP_PROXY", "a")], Some("http://a:80"), None),
            (&[("https_proxy", "a")], None, Some("http://a:80")),
            (&[("HTTPS_PROXY", "https://a")], None, Some("https://a:443")),
            (&[("all_proxy", "socks5://a")], Some("socks5://a:1080"), Some("socks5://a:1080")),
            (&[("ALL_PROXY", "a:1")], Some("http://a:1"), Some("http://a:1")),
            (&[("ALL_PROXY", "a"), ("http_proxy", "b")], Some("http://b:80"), Some("http://a:80")),
            (&[("HTTP_PROXY", "a"), ("http_proxy", "b")], Some("http://b:80"), None),
            (&[("HTTP_PROXY", "a"), ("http_proxy", " ")], Some("http://a:80"), None),
            (&[("all_proxy", "a"), ("https_proxy", "")], Some("http://a:80"), Some("http://a:80")),
            (&[("all_proxy", "a"), ("no_proxy", "h")], None, None),
            (&[("all_proxy", "a"), ("NO_PROXY", "*")], None, None),
            (
                &[("all_proxy", "a"), ("no_proxy", "x"), ("NO_PROXY", "h")],
                Some("http://a:80"),
                Some("http://a:80"),
            ),
        ] {
            let expected = [http, https].map(|proxy| proxy.map(str::to_owned));
            assert_eq!(chosen(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_cgi_program_does_not_take_its_proxy_from_whoever_sent_the_request() {
        let cgi = ("REQUEST_METHOD", "GET");
        assert_eq!(chosen(&[cgi, ("HTTP_PROXY", "evil")]), [None, None]);
        let other = [cgi, ("HTTP_PROXY", "evil"), ("ALL_PROXY", "a"), ("HTTPS_PROXY", "b")];
        let [http, https] = chosen(&other);
        assert_eq!((http.as_deref(), https.as_deref()), (Some("http://a:80"), Some("http://b:80")));
        let [http, _] = chosen(&[cgi, ("HTTP_PROXY", "evil"), ("http_proxy", "a")]);
        let expected = if cfg!(windows) { None } else { Some("http://a:80") };
        assert_eq!(http.as_deref(), expected);
    }

    #[test]
    fn a_variable_that_cannot_be_read_fails_what_would_use_it_and_is_named() {
        let proxies = from_lookup(|name| (name == "https_proxy").then(|| "ftp://u:pw@a".into()));
        let target = |url| Target::parse(url).unwrap();
        assert!(proxies.choose(&target("http://h/")).unwrap().is_none());
        let told = proxies.choose(&target("https://h/")).unwrap_err().message();
        assert!(told.contains("https_proxy") && !told.contains("pw"), "{told}");
    }
}
