package controlproto

import (
	"slices"
	"strings"
	"sync"
)

// Replies says when a server answers a request.
type Replies uint8

// Values of [Replies].
const (
	RepliesAlways  Replies = iota // also without "responseid"
	RepliesIfAsked                // only to a request with "responseid"
	RepliesOnError                // success is silent; errors only to a request with "responseid"
	RepliesNever
)

// Spec tells what is special about an action. Clients correlate by it and servers answer by it.
type Spec struct {
	Action  string
	Request func() Message // an empty request
	Reply   func() Message // an empty reply; nil for a Result or none
	Replies Replies
	// Echo is what a reply that says success repeats. An error always repeats "responseid", under the action or one of ErrorAs.
	Echo Echo
	// Key is a member of the request that the reply repeats ("nodeid"), for replies that repeat nothing else.
	Key string
	// PerDevice: one reply for each of "nodeids".
	PerDevice bool
	// Extra is how many replies come in front of the one that counts.
	Extra int
	// ErrorAs are other actions under which errors come.
	ErrorAs []string

	Site     SiteRights // what of the site rights it takes
	NoToken  bool       // refused to who logged in with a login token
	Settings bool       // refused to who has SiteLockSettings
	Full     bool       // for full administrators only
	Denied   string     // the result when one of these is lacking; "" is silence
}

// Actions returns all actions of the channel by name, as confirmed in meshuser.js of MeshCentral 1.1.55.
func Actions() []Spec { return slices.Clone(catalogue().list) }

// LookupAction finds one of [Actions].
func LookupAction(name string) (Spec, bool) {
	s, ok := catalogue().byName[name]
	return s, ok
}

type catalogueTable struct {
	list   []Spec
	byName map[string]Spec
}

var catalogue = sync.OnceValue(func() catalogueTable {
	t := catalogueTable{byName: map[string]Spec{}}
	for _, part := range [][]Spec{
		sessionActions, serverActions, userActions, accountActions, twoFactorActions, tokenActions, userGroupActions, groupActions,
		deviceActions, detailActions, powerActions, msgActions, runActions, fileActions, shareActions, eventActions, reportActions,
		amtActions, pluginActions,
	} {
		t.list = append(t.list, part...)
	}
	slices.SortFunc(t.list, func(a, b Spec) int { return strings.Compare(a.Action, b.Action) })
	for _, s := range t.list {
		t.byName[s.Action] = s
	}
	return t
})
