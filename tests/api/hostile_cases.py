"""Requests that mean harm, or might: what is sent, what may come back, what may be recorded. Used by test_hostile.py.

Each case is sent on a connection of its own. Behind it, in the same segment, goes an honest publish of a second event (FOLLOW): the
request that a smuggler would want to be executed under the wrong framing, or to be swallowed. `answers` are the statuses that may
come back on the connection, in order: "400" is one answer and then the end of the connection; "a|b" is either; "-" is the end
without an answer. `recorded` says which events the stream holds afterwards: a is that of the case, b that of the follow-up.
In the bytes ~TOKEN~ becomes a good token and ~~~~ the number of the case, so lengths stay what they are.
"""
import typing


class Case(typing.NamedTuple):
    name: str
    data: bytes
    answers: str = "400"
    recorded: str = ""
    follow: bool = True


NL = b"\r\n"
STREAM = "hostile"
PATH = b"/v1/streams/hostile/events"
HOST, AUTH = b"Host: weir.test\r\n", b"Authorization: Bearer ~TOKEN~\r\n"
TYPE = b"Content-Type: application/json\r\n"
BODY, BODY_B = b'{"type":"T","data":"~~~~a"}', b'{"type":"T","data":"~~~~b"}'
SIZE = len(BODY)
CL, TE = b"Content-Length: %d\r\n" % SIZE, b"Transfer-Encoding: chunked\r\n"
CHUNKED = b"%x\r\n" % SIZE + BODY + NL + b"0\r\n\r\n"
CLOSE = b"Connection: close\r\n"


def post(headers=CL, body=BODY, host=HOST, line=b"POST " + PATH + b" HTTP/1.1\r\n"):
    """A publish of event a. `headers` are whole lines; by default it is a good request."""
    return line + host + AUTH + TYPE + headers + NL + body


def get(target=b"/healthz", host=HOST, headers=b"", method=b"GET", version=b"HTTP/1.1"):
    return method + b" " + target + b" " + version + NL + host + headers + NL


def chunks(body, headers=TE):
    return post(headers, body)


FOLLOW = post(CL + CLOSE, BODY_B)


def length(name, value, answers="400", recorded=""):
    return Case("a Content-Length " + name, post(b"Content-Length:" + value + NL), answers, recorded)


def coding(name, line, answers="400", recorded=""):
    return Case("a Transfer-Encoding " + name, chunks(CHUNKED, line + NL), answers, recorded)


def chunk(name, body, answers="400", recorded=""):
    return Case("a chunked body " + name, chunks(body), answers, recorded)


def host(name, value, answers="400"):
    return Case("a Host " + name, get(host=b"Host:" + value + NL), answers, "b" if answers.startswith("200") else "")


def target(name, value, answers="400"):
    return Case("a target " + name, get(value), answers, "b" if " 201" in answers else "")


def header(name, line, answers="400"):
    return Case("a header " + name, get(headers=line + NL), answers, "b" if " 201" in answers else "")


def method(name, value, answers="400"):
    return Case("a method " + name, get(method=value), answers, "b" if " 201" in answers else "")


def version(name, value, answers="400"):
    return Case("a version " + name, get(version=value), answers)


GOOD = "201 201"

FRAMING = [
    Case("an ordinary publish, and another behind it", post(), GOOD, "ab"),
    Case("an ordinary chunked publish, and another behind it", chunks(CHUNKED), GOOD, "ab"),
    Case("Content-Length then Transfer-Encoding, read as a length", post(CL + TE, BODY)),
    Case("Content-Length then Transfer-Encoding, read as chunks", post(CL + TE, CHUNKED)),
    Case("Transfer-Encoding then Content-Length, read as a length", post(TE + CL, BODY)),
    Case("Transfer-Encoding then Content-Length, read as chunks", post(TE + CL, CHUNKED)),
    Case("Content-Length 0 with Transfer-Encoding", post(b"Content-Length: 0\r\n" + TE, CHUNKED)),
    Case("both lengths in other casings", post(b"CONTENT-LENGTH: 5\r\ntRANSFER-eNCODING: Chunked\r\n", b"0\r\n\r\n")),
    Case("both lengths with Connection: close", post(CL + TE + CLOSE, CHUNKED)),
    Case("both lengths, the rest of the body being another request", post(b"Content-Length: 6\r\n" + TE, b"0\r\n\r\nG")),
    Case("both lengths in a GET", get(headers=b"Content-Length: 5\r\n" + TE) + b"0\r\n\r\n"),
    Case("both lengths in a HEAD", get(headers=b"Content-Length: 5\r\n" + TE, method=b"HEAD") + b"0\r\n\r\n"),
    Case("both lengths, the coding folded", post(CL + b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED)),
    Case("both lengths with a blank before the colon", post(CL + b"Transfer-Encoding : chunked\r\n", CHUNKED)),
    Case("a length named with Connection", post(CL + b"Connection: Content-Length\r\n"), GOOD, "ab"),
    Case("two equal lengths", post(CL + CL)),
    Case("two different lengths, the first right", post(CL + b"Content-Length: 1\r\n")),
    Case("two different lengths, the second right", post(b"Content-Length: 1\r\n" + CL)),
    Case("two different lengths far apart", post(CL + b"X-A: 1\r\nX-B: 2\r\ncontent-length: 0\r\n")),
    length("that is a list of equal ones", b" 27, 27"),
    length("that is a list of different ones", b" 27, 0"),
    length("with a trailing comma", b" 27,"),
    length("with a plus", b" +27"),
    length("with a minus", b" -27"),
    length("of minus zero", b" -0"),
    length("in hexadecimal", b" 0x1b"),
    length("with an underscore", b" 2_7"),
    length("with a space inside", b" 2 7"),
    length("with a word behind", b" 27 bytes"),
    length("with a fraction", b" 27.0"),
    length("with an exponent", b" 27e0"),
    length("with quotes", b' "27"'),
    length("with a semicolon", b" 27;q=1"),
    length("of letters", b" abc"),
    length("that is empty", b""),
    length("of blanks", b"   "),
    length("beyond 63 bits", b" 9223372036854775808", "400|413"),
    length("beyond 64 bits, wrapping to the right one", b" 18446744073709551643", "400|413"),
    length("of forty digits", b" " + b"9" * 40, "400|413"),
    length("of 1 TiB", b" 1099511627776", "413"),
    length("with a vertical tab", b" \x0b27"),
    length("with a NUL", b" 27\x00"),
    length("with a leading zero (plain decimal)", b" 027", GOOD, "ab"),
    length("with blanks around", b"  \t 27 \t ", GOOD, "ab"),
    length("without a blank before it", b"27", GOOD, "ab"),
    length("of fullwidth digits", " \uff12\uff17".encode()),
    Case("a length that is folded", post(b"Content-Length:\r\n 27\r\n")),
    Case("a length with a blank before the colon", post(b"Content-Length : 27\r\n")),
    Case("a length with a tab before the colon", post(b"Content-Length\t: 27\r\n")),
    Case("a length with a colon too many", post(b"Content-Length:: 27\r\n")),
    Case("a length after a bare LF", post(b"X-A: 1\nContent-Length: 27\r\n")),
    Case("a length after a bare CR", post(b"X-A: 1\rContent-Length: 27\r\n")),
    Case("a length spelt with an underscore is none", post(b"Content_Length: 27\r\n"), "400 400"),
    Case("no length at all", post(b""), "400 400"),
    Case("a length that is too short: the rest is no request", post(b"Content-Length: 26\r\n"), "400 400"),
    Case("a length that swallows the follow-up", post(b"Content-Length: 99999\r\n"), "408|-"),
    Case("a body that is a whole request", post(b"Content-Length: %d\r\n" % len(get()), get()), "400 201", "b"),
    Case("a GET with a body that is a request", get(headers=b"Content-Length: %d\r\n" % len(get())) + get(), "413 201", "b"),
    Case("a HEAD with a body", get(headers=b"Content-Length: 5\r\n", method=b"HEAD") + b"hello", "413 201", "b"),
    Case("a HEAD behind which something follows", get(method=b"HEAD"), "200 201", "b"),
    Case("an OPTIONS with a body", get(PATH, headers=b"Content-Length: 5\r\n", method=b"OPTIONS") + b"hello", "413 201", "b"),
]

CODINGS = [
    coding("in capitals", b"TRANSFER-ENCODING: CHUNKED", GOOD, "ab"),
    coding("after a tab", b"Transfer-Encoding:\tchunked", GOOD, "ab"),
    coding("before blanks", b"Transfer-Encoding: chunked \t ", GOOD, "ab"),
    coding("xchunked", b"Transfer-Encoding: xchunked", "400|501"),
    coding("chunkedx", b"Transfer-Encoding: chunkedx", "400|501"),
    coding("chunk", b"Transfer-Encoding: chunk", "400|501"),
    coding("identity", b"Transfer-Encoding: identity", "400|501"),
    coding("identity, chunked", b"Transfer-Encoding: identity, chunked", "400|501"),
    coding("chunked, identity", b"Transfer-Encoding: chunked, identity", "400|501"),
    coding("gzip, chunked", b"Transfer-Encoding: gzip, chunked", "400|501"),
    coding("chunked, chunked", b"Transfer-Encoding: chunked, chunked", "400|501"),
    coding("with a leading comma", b"Transfer-Encoding: , chunked", "400|501"),
    coding("with a trailing comma", b"Transfer-Encoding: chunked,", "400|501"),
    coding("with a parameter", b"Transfer-Encoding: chunked;q=1", "400|501"),
    coding("in quotes", b'Transfer-Encoding: "chunked"', "400|501"),
    coding("in apostrophes", b"Transfer-Encoding: 'chunked'", "400|501"),
    coding("in brackets", b"Transfer-Encoding: [chunked]", "400|501"),
    coding("that is empty", b"Transfer-Encoding:", "400|501"),
    coding("with a vertical tab before", b"Transfer-Encoding: \x0bchunked", "400|501"),
    coding("with a vertical tab behind", b"Transfer-Encoding: chunked\x0b", "400|501"),
    coding("with a form feed", b"Transfer-Encoding: chunked\x0c", "400|501"),
    coding("with a NUL", b"Transfer-Encoding: chunked\x00", "400|501"),
    coding("with a bare CR behind", b"Transfer-Encoding: chunked\r", "400|501"),
    coding("with a Latin-1 blank", b"Transfer-Encoding: \xa0chunked", "400|501"),
    coding("with a long s (Unicode folds it)", "Transfer-Encoding: chunked\u017f".encode(), "400|501"),
    coding("with a blank before the colon", b"Transfer-Encoding : chunked"),
    coding("with a tab before the colon", b"Transfer-Encoding\t: chunked"),
    coding("with a blank in the name", b"Transfer Encoding: chunked"),
    coding("with a blank before the name", b" Transfer-Encoding: chunked"),
    coding("with a NUL in the name", b"Transfer-Encoding\x00: chunked"),
    coding("with a bell before the name", b"\x07Transfer-Encoding: chunked"),
    coding("spelt with an underscore is none", b"Transfer_Encoding: chunked", "400|400 400"),
    coding("twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    coding("twice, the second unknown", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "400|501"),
    coding("twice, the first identity", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "400|501"),
    coding("folded before its value", b"Transfer-Encoding:\r\n chunked"),
    coding("folded behind its value", b"Transfer-Encoding: chunked\r\n ,identity"),
    coding("folded with a tab", b"Transfer-Encoding:\r\n\tchunked"),
    coding("after a bare LF", b"X-A: 1\nTransfer-Encoding: chunked"),
    coding("after a bare CR", b"X-A: 1\rTransfer-Encoding: chunked"),
    coding("ended by a bare LF", b"Transfer-Encoding: chunked\nX-A: 1"),
    Case("a Transfer-Encoding on HTTP/1.0", post(TE, CHUNKED, line=b"POST " + PATH + b" HTTP/1.0\r\n")),
    Case("a Transfer-Encoding on HTTP/1.0 kept alive",
         post(TE + b"Connection: keep-alive\r\n", CHUNKED, line=b"POST " + PATH + b" HTTP/1.0\r\n")),
    Case("a chunked GET", get(headers=TE) + b"5\r\nhello\r\n0\r\n\r\n", "413 201", "b"),
    Case("a Content-Encoding of chunked", post(CL + b"Content-Encoding: chunked\r\n"), "415 201", "b"),
    Case("a compressed body", post(CL + b"Content-Encoding: gzip\r\n"), "415 201", "b"),
    Case("two Content-Encodings", post(CL + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n")),
]

X = b"%x" % SIZE
END = NL + b"0\r\n\r\n"
CHUNKS = [
    chunk("in two pieces", b"1\r\n{\r\n%x\r\n" % (SIZE - 1) + BODY[1:] + END, GOOD, "ab"),
    chunk("with capital digits", X.upper() + NL + BODY + END, GOOD, "ab"),
    chunk("with leading zeros", b"0000" + X + NL + BODY + END, GOOD, "ab"),
    chunk("with 0x", b"0x" + X + NL + BODY + END),
    chunk("with a plus", b"+" + X + NL + BODY + END),
    chunk("with a minus", b"-" + X + NL + BODY + END),
    chunk("with an underscore", b"1_b" + NL + BODY + END),
    chunk("with a comma", X + b",0" + NL + BODY + END),
    chunk("without a size", NL + BODY + END),
    chunk("with letters for a size", b"zz" + NL + BODY + END),
    chunk("with a size of seventeen digits", b"10000000000000000" + NL + BODY + END, "400|413|-"),
    chunk("with a size that wraps at 64 bits", b"1000000000000001b" + NL + BODY + END, "400|413|-"),
    chunk("with a size that wraps at 32 bits", b"10000001b" + NL + BODY + END, "400|413|408|-"),
    chunk("with a leading blank", b" " + X + NL + BODY + END),
    chunk("with a leading tab", b"\t" + X + NL + BODY + END),
    chunk("with a NUL behind the size", X + b"\x00" + NL + BODY + END),
    chunk("with a size ended by a bare LF", X + b"\n" + BODY + END),
    chunk("with a size ended by a bare CR", X + b"\r" + BODY + END),
    chunk("with CR CR LF behind the size", X + b"\r\r\n" + BODY + END),
    chunk("whose data end with a bare LF", X + NL + BODY + b"\n0\r\n\r\n"),
    chunk("whose data end with a bare CR", X + NL + BODY + b"\r0\r\n\r\n"),
    chunk("whose data end without a line break", X + NL + BODY + b"0\r\n\r\n"),
    chunk("with more data than its size", X + NL + BODY + b"x" + END),
    chunk("with an empty line between chunks", X + NL + BODY + NL + NL + b"0\r\n\r\n"),
    chunk("whose last chunk ends with bare LFs", X + NL + BODY + NL + b"0\n\n"),
    chunk("whose last line is a bare LF", X + NL + BODY + NL + b"0\r\n\n"),
    chunk("with a short extension", X + b";a=b" + NL + BODY + END),
    chunk("with a quoted extension", X + b';a="b;c"' + NL + BODY + END),
    chunk("with an extension on the last chunk", X + NL + BODY + NL + b"0;a=b\r\n\r\n"),
    chunk("with a bare LF in an extension", X + b";a=b\nc" + NL + BODY + END),
    chunk("with a bare CR in an extension", X + b";a=b\rc" + NL + BODY + END),
    chunk("with a line break in a quoted extension", X + b';a="b\r\nc"' + NL + BODY + END),
    chunk("with an extension of 64 KiB", X + b";" + b"a" * 65536 + NL + BODY + END, "400|408|413|-"),
    chunk("with many zeros before its size", b"0" * 65536 + X + NL + BODY + END, "400|413|431|-"),
    chunk("without a last chunk", X + NL + BODY + NL),
    chunk("of nothing but the end", b"0\r\n\r\n", "400 201", "b"),
    chunk("with a trailer", X + NL + BODY + NL + b"0\r\nX-A: b\r\n\r\n", GOOD, "ab"),
    chunk("with lengths in its trailer", X + NL + BODY + NL + b"0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
          GOOD, "ab"),
    chunk("with a token and a host in its trailer",
          X + NL + BODY + NL + b"0\r\nAuthorization: Bearer x\r\nHost: evil\r\nContent-Type: text/plain\r\n\r\n", GOOD, "ab"),
    chunk("with a folded trailer", X + NL + BODY + NL + b"0\r\nX-A: b\r\n c\r\n\r\n"),
    chunk("with a bare LF in its trailer", X + NL + BODY + NL + b"0\r\nX-A: b\nX-B: c\r\n\r\n"),
    chunk("with a blank before a colon in its trailer", X + NL + BODY + NL + b"0\r\nX-A : b\r\n\r\n"),
    chunk("with a trailer that is a request", X + NL + BODY + NL + b"0\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    chunk("with a huge trailer", X + NL + BODY + NL + b"0\r\n" + b"X-A: " + b"b" * 65536 + b"\r\n\r\n", "400|413|431|-"),
    chunk("with the event's end in its trailer", b"1a\r\n" + BODY[:-1] + NL + b"0\r\n}: 1\r\n\r\n", "400 201", "b"),
]
