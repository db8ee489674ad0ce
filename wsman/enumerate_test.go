package wsman

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

type powerAssociation struct {
	States   []uint16 `wsman:"AvailableRequestedPowerStates"`
	State    uint16   `wsman:"PowerState"`
	Provided Ref      `wsman:"ServiceProvided"`
}

func (*powerAssociation) Class() string { return "CIM_ServiceAvailableToElement" }

// The item is of a subclass, and the end comes after the items or before.
const powerItem = `<h:CIM_AssociatedPowerManagementService><h:AvailableRequestedPowerStates>8</h:AvailableRequestedPowerStates><h:AvailableRequestedPowerStates>10</h:AvailableRequestedPowerStates><h:PowerState>2</h:PowerState><h:ServiceProvided><b:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</b:Address><b:ReferenceParameters><c:ResourceURI>http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_PowerManagementService</c:ResourceURI><c:SelectorSet><c:Selector Name="Name">Intel(r) AMT Power Management Service</c:Selector></c:SelectorSet></b:ReferenceParameters></h:ServiceProvided></h:CIM_AssociatedPowerManagementService>`

// pages answers enumerations with the given pages of items.
type pages struct {
	pages    []string
	next     int
	released []string
	early    bool // EndOfSequence before Items
	lose     int  // Pulls to lose
	pulls    int
	opened   int
}

func (s *pages) handle(r *peerRequest) string {
	handle := func(n int) string { return fmt.Sprintf("14%06d-0000", n) }
	switch r.Action {
	case ActionEnumerate:
		s.opened++
		s.next = 0
		return r.reply("<h:EnumerateResponse><h:EnumerationContext>" + handle(0) + "</h:EnumerationContext></h:EnumerateResponse>")
	case ActionRelease:
		s.released = append(s.released, r.First().ChildText("EnumerationContext"))
		return r.reply("")
	}
	s.pulls++
	if s.lose > 0 {
		s.lose--
		r.close = true
		return ""
	}
	if got := r.First().ChildText("EnumerationContext"); got != handle(s.next) {
		return r.fault("x:InvalidEnumerationContext")
	}
	items := "<h:Items>" + s.pages[s.next] + "</h:Items>"
	if s.pages[s.next] == "" {
		items = ""
	}
	s.next++
	end := "<h:EndOfSequence></h:EndOfSequence>"
	if s.next < len(s.pages) {
		end = "<h:EnumerationContext>" + handle(s.next) + "</h:EnumerationContext>"
	}
	if s.early {
		items, end = end, items
	}
	return r.reply("<h:PullResponse>" + items + end + "</h:PullResponse>")
}

func TestEnumerate(t *testing.T) {
	for _, early := range []bool{false, true} {
		s := &pages{pages: []string{powerItem + powerItem, "", powerItem}, early: early}
		c := newPeer(t, s.handle).client(nil)
		var got []*powerAssociation
		for a, err := range Enumerate[powerAssociation](t.Context(), c) {
			require.NoError(t, err)
			got = append(got, a)
		}
		require.Len(t, got, 3)
		for _, a := range got {
			require.Equal(t, []uint16{8, 10}, a.States)
			require.EqualValues(t, 2, a.State)
			require.Equal(t, "CIM_PowerManagementService", a.Provided.ClassName())
			require.Equal(t, "Intel(r) AMT Power Management Service", a.Provided.Selector("Name"))
		}
		require.Empty(t, s.released)
		require.Equal(t, 3, s.pulls)
	}
}

// Release has little time, which passes for nobody here.
func TestEnumerateBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pages{pages: []string{powerItem + powerItem, powerItem}}
		c := newPeer(t, s.handle).client(nil)
		for _, err := range Enumerate[powerAssociation](t.Context(), c, PageSize(2)) {
			require.NoError(t, err)
			break
		}
		require.Equal(t, []string{"14000001-0000"}, s.released)
		for el, err := range c.Enumerate(t.Context(), ResourceURI("CIM_ServiceAvailableToElement")) {
			require.NoError(t, err)
			require.Equal(t, "CIM_AssociatedPowerManagementService", el.Name)
			if s.next == 2 {
				break // in the last page: nothing to release
			}
		}
		require.Len(t, s.released, 1)
	})
}

func TestEnumerateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pages{pages: make([]string, 50)}
		c := newPeer(t, s.handle).client(nil)
		last := func(opts ...EnumerateOption) (n int, err error) {
			for _, err = range Enumerate[powerAssociation](t.Context(), c, opts...) {
				n++
			}
			return n, err
		}
		_, err := last(MaxPages(10))
		require.ErrorIs(t, err, ErrTooLarge)
		require.Equal(t, 10, s.pulls)
		require.Len(t, s.released, 1)
		s.pages = []string{strings.Repeat(powerItem, 5), powerItem}
		n, err := last(MaxItems(3))
		require.ErrorIs(t, err, ErrTooLarge)
		require.Equal(t, 4, n, "three and the error")
		require.Len(t, s.released, 2)

		// What does not decode ends the loop and releases.
		s.pages = []string{"<h:X><h:PowerState>often</h:PowerState></h:X>", powerItem}
		n, err = last()
		require.ErrorIs(t, err, ErrMalformed)
		require.EqualError(t, err, `wsman: element X.PowerState does not fit uint16: invalid syntax: "often"`)
		require.Equal(t, 1, n)
		require.Len(t, s.released, 3)
	})
}

// A first page that is lost begins anew, a later one is an error: pulled again, its instances would be missing.
func TestEnumerateLostPage(t *testing.T) {
	s := &pages{pages: []string{powerItem, powerItem}, lose: 1}
	c := newPeer(t, s.handle).client(nil)
	n := 0
	for _, err := range Enumerate[powerAssociation](t.Context(), c) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 2, n)
	require.Equal(t, 2, s.opened)
	n = 0
	for _, err := range Enumerate[powerAssociation](t.Context(), c) {
		if n++; n == 1 {
			require.NoError(t, err)
			s.lose = 1
			continue
		}
		require.ErrorIs(t, err, ErrNoAnswer)
	}
	require.Equal(t, 2, n)
}

func TestEnumerateFault(t *testing.T) {
	c := newPeer(t, func(r *peerRequest) string { return r.fault("b:DestinationUnreachable") }).client(nil)
	n := 0
	for v, err := range Enumerate[powerAssociation](t.Context(), c) {
		require.ErrorIs(t, err, ErrUnsupported)
		require.Nil(t, v)
		n++
	}
	require.Equal(t, 1, n)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range Enumerate[powerAssociation](ctx, c) {
		require.ErrorIs(t, err, context.Canceled)
		n++
	}
	require.Equal(t, 2, n)
}
