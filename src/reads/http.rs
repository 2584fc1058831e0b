//! As much of HTTP/1.1 (RFC 9112) as asking for one page takes.

use std::net::Ipv6Addr;

/// Asks for `path` and to hang up after the answer.
pub(super) fn request(address: &str, port: u16, path: &str) -> String {
    let host = match address.parse::<Ipv6Addr>() {
        Ok(v6) => format!("[{v6}]"),
        Err(_) => address.to_owned(),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: skep\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// The status and the body of an answer, as much of it as is there; nothing where it is no answer.
pub(super) fn parse(reply: &[u8]) -> Option<(u16, String)> {
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&reply[..end]).ok()?;
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let body = &reply[end + 4..];
    let body = if chunked(headers) { unchunked(body) } else { body.to_vec() };
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

fn chunked(headers: &str) -> bool {
    let headers = headers.to_ascii_lowercase();
    headers
        .lines()
        .filter_map(|line| line.split_once(':'))
        .any(|(name, value)| name == "transfer-encoding" && value.trim().ends_with("chunked"))
}

/// The chunks put together, up to the first that is not whole.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some((chunk, after)) = chunk(rest) {
        body.extend_from_slice(chunk);
        rest = after;
    }
    body
}

/// One chunk with something in it, and what comes after.
fn chunk(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = rest.windows(2).position(|two| two == b"\r\n")?;
    let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
    let size = usize::from_str_radix(size, 16).ok().filter(|size| *size > 0)?;
    let (chunk, after) = rest[line + 2..].split_at_checked(size)?;
    Some((chunk, after.strip_prefix(b"\r\n").unwrap_or(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(reply: &str) -> Option<(u16, String)> {
        parse(reply.as_bytes())
    }

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        assert_eq!(parsed("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), Some((200, "hi".into())));
        assert_eq!(parsed("HTTP/1.1 204\r\n\r\n"), Some((204, String::new())));
        assert_eq!(parsed("HTTP/1.1 200 OK\r\nContent-"), None);
        assert_eq!(parsed("220 mail ready\r\n\r\n"), None);
    }

    #[test]
    fn chunks_are_put_together() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = parsed(&format!("{head}4;x=y\r\nWiki\r\n6\r\npedia \r\n0\r\n\r\n"));
        assert_eq!(whole, Some((200, "Wikipedia ".into())));
        assert_eq!(parsed(&format!("{head}4\r\nWiki\r\n6\r\nped")), Some((200, "Wiki".into())));
        assert_eq!(parsed(&format!("{head}ffffffffffffffff\r\nWiki")), Some((200, String::new())));
    }

    #[test]
    fn the_request_names_its_host() {
        assert!(request("::1", 80, "/a?b").starts_with("GET /a?b HTTP/1.1\r\nHost: [::1]:80\r\n"));
    }
}
