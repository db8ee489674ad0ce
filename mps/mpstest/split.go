package mpstest

import "github.com/meshcentral-go/sdk/apf"

// splitStream writes in small pieces. What it is given is one message at a time.
type splitStream struct {
	apf.Stream
	size     int
	password bool // that message too
}

// Write implements [io.Writer].
func (s *splitStream) Write(p []byte) (int, error) {
	if len(p) > 0 && apf.Type(p[0]) == apf.TypeUserAuthRequest && !s.password {
		return s.Stream.Write(p)
	}
	done := 0
	for done < len(p) {
		n, err := s.Stream.Write(p[done:min(done+s.size, len(p))])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
