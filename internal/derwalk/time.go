package derwalk

import (
	"fmt"
	"time"
)

// Time is an undecoded UTCTime or GeneralizedTime of a certificate.
type Time struct {
	generalized bool
	text        []byte
}

// Decode returns the point in time, in UTC. Only the forms that RFC 5280 section 4.1.2.5 allows are understood.
func (t Time) Decode() (time.Time, error) {
	layout := "060102150405Z"
	if t.generalized {
		layout = "20060102150405Z"
	}
	if len(t.text) != len(layout) {
		return time.Time{}, fmt.Errorf("%w: a time of %d bytes", ErrMalformed, len(t.text))
	}
	v, err := time.Parse(layout, string(t.text))
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: time %q", ErrMalformed, t.text)
	}
	// Package time takes two digits of the year as 1969 to 2068, RFC 5280 as 1950 to 2049.
	if !t.generalized && v.Year() >= 2050 {
		v = v.AddDate(-100, 0, 0)
	}
	return v, nil
}
