package controlserver

import "net/url"

// unescape reads a text that is escaped as in a URL; what is not stays as it is.
func unescape(s string) string {
	if t, err := url.PathUnescape(s); err == nil {
		return t
	}
	return s
}
