// Package web has the pages of the reference server: a login, the list of device groups and devices, which stays current
// by server-sent events, and the last events.
//
// Everything that agents sent is shown as text, by html/template on the server and by textContent in the browser. The
// Content-Security-Policy lets no script run but the one file of this package, and lets that file make no HTML.
package web
