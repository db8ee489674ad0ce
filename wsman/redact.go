package wsman

import (
	"strings"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// secretParts are what names of elements have that hold secrets: passwords, passphrases, keys, and what a password could be
// guessed from, such as hashes and the nonces they go with.
var secretParts = [...]string{"password", "passphrase", "passwd", "psk", "secret", "privatekey", "keyblob", "nonce", "digitalsignature", "optincode", "pps", "credentialblob",
	"masterkey", "signingkey", "accesscredential", "serverotp", "bootparameters"}

// IsSecretName says whether an element or parameter of that name holds what no log shall show.
func IsSecretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	return name == "pid" || name == "wepkey" || name == "keyvalue" || name == "key" || name == "keys"
}

// RedactXML returns a message in which the content of elements that hold secrets reads "[redacted]". What is no XML is
// redacted as a whole.
func RedactXML(b []byte) string {
	s := string(b)
	var out strings.Builder
	out.Grow(len(s))
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			out.WriteString(s)
			break
		}
		end := tagEnd(s[i:])
		if end < 0 {
			out.WriteString(s[:i])
			out.WriteString(secret.Redacted)
			break
		}
		tag := s[i : i+end]
		out.WriteString(s[:i+end])
		s = s[i+end:]
		name, ok := startName(tag)
		if !ok {
			continue
		}
		_, local, prefixed := strings.Cut(name, ":")
		if !prefixed {
			local = name
		}
		if !IsSecretName(local) {
			continue
		}
		inside := contentEnd(s)
		if inside != 0 {
			out.WriteString(secret.Redacted)
		}
		if inside < 0 {
			break
		}
		s = s[inside:]
	}
	return out.String()
}

// contentEnd returns where the content of an element that s begins with ends, with its end tag, or -1 if it does not.
func contentEnd(s string) int {
	for at, depth := 0, 1; ; {
		i := strings.IndexByte(s[at:], '<')
		if i < 0 {
			return -1
		}
		at += i
		end := tagEnd(s[at:])
		if end < 0 {
			return -1
		}
		if tag := s[at : at+end]; strings.HasPrefix(tag, "</") {
			if depth--; depth == 0 {
				return at
			}
		} else if _, ok := startName(tag); ok {
			depth++
		}
		at += end
	}
}

// tagEnd returns the length of the tag, comment, CDATA or declaration that s begins with, or -1.
func tagEnd(s string) int {
	for _, d := range [...]struct{ begin, end string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}} {
		if strings.HasPrefix(s, d.begin) {
			i := strings.Index(s[len(d.begin):], d.end)
			if i < 0 {
				return -1
			}
			return len(d.begin) + i + len(d.end)
		}
	}
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}

// startName returns the name in a start tag that is not closed by itself.
func startName(tag string) (string, bool) {
	if len(tag) < 3 || tag[1] == '/' || tag[1] == '!' || tag[1] == '?' || strings.HasSuffix(tag, "/>") {
		return "", false
	}
	name := tag[1 : len(tag)-1]
	if i := strings.IndexAny(name, " \t\r\n"); i >= 0 {
		name = name[:i]
	}
	return name, name != ""
}
