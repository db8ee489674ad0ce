package wsman

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// EnumerateOption changes how an enumeration is read.
type EnumerateOption func(*enumeration)

type enumeration struct {
	page  PageLimits
	pages int
	items int
}

// PageLimits are what a Pull asks for. Firmware has limits of its own and returns less.
type PageLimits struct {
	Elements   int // 0 means 999
	Characters int // 0 means 99999
}

// PageSize asks for at most that many instances in a page.
func PageSize(n int) EnumerateOption { return func(e *enumeration) { e.page.Elements = n } }

// MaxPages bounds the pages that are read, empty ones included: 1000 without this option. An enumeration that goes on beyond
// it ends with [ErrTooLarge].
func MaxPages(n int) EnumerateOption { return func(e *enumeration) { e.pages = n } }

// MaxItems bounds the instances that are read: 100000 without this option.
func MaxItems(n int) EnumerateOption { return func(e *enumeration) { e.items = n } }

// releaseTime is what telling the device about an abandoned enumeration may take.
const releaseTime = 5 * time.Second

// Enumerate reads the instances of a class as elements, in pages. Elements may be of a subclass of the one asked for. When
// the loop ends early the device is told (Release). An error ends the loop and comes with a nil element.
func (c *Client) Enumerate(ctx context.Context, resourceURI string, opts ...EnumerateOption) iter.Seq2[*Element, error] {
	e := enumeration{pages: 1000, items: 100000}
	for _, opt := range opts {
		opt(&e)
	}
	return func(yield func(*Element, error) bool) {
		if err := c.enumerate(ctx, resourceURI, e, yield); err != nil {
			yield(nil, err)
		}
	}
}

func (c *Client) enumerate(ctx context.Context, uri string, e enumeration, yield func(*Element, error) bool) error {
	handle, err := c.OpenEnumeration(ctx, uri)
	if err != nil {
		return err
	}
	items := 0
	for pages := 1; ; pages++ {
		page, err := c.Pull(ctx, uri, handle, e.page)
		if err != nil && pages == 1 && errors.Is(err, ErrNoAnswer) && ctx.Err() == nil {
			// A page that was lost cannot be asked for again, but nothing of this enumeration was used yet.
			if handle, err = c.OpenEnumeration(ctx, uri); err == nil {
				page, err = c.Pull(ctx, uri, handle, e.page)
			}
		}
		if err != nil {
			return err
		}
		for i := range page.Items {
			if items++; items > e.items {
				c.abandon(ctx, uri, page.Context)
				return fmt.Errorf("%w: more than %d instances of %s", ErrTooLarge, e.items, ClassName(uri))
			}
			if !yield(&page.Items[i], nil) {
				c.abandon(ctx, uri, page.Context)
				return nil
			}
		}
		if page.Context == "" {
			return nil
		}
		handle = page.Context
		if pages >= e.pages {
			c.abandon(ctx, uri, handle)
			return fmt.Errorf("%w: more than %d pages of %s", ErrTooLarge, e.pages, ClassName(uri))
		}
	}
}

// abandon tells the device that no more pages are wanted. That it fails does not matter: contexts do not live long.
func (c *Client) abandon(ctx context.Context, uri, handle string) {
	if handle == "" || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	if err := c.Release(ctx, uri, handle); err != nil {
		c.log.Debug("wsman: release of an enumeration", "class", ClassName(uri), "error", err)
	}
}

// OpenEnumeration begins an enumeration and returns its context, which the device keeps for some ten seconds. [Enumerate]
// does all of it.
func (c *Client) OpenEnumeration(ctx context.Context, resourceURI string) (string, error) {
	resp, err := c.Do(ctx, &Request{
		Action: ActionEnumerate, ResourceURI: resourceURI, Idempotent: true,
		Body: func(w *Writer) {
			w.Start(NamespaceEnumeration, "Enumerate")
			w.End()
		},
	})
	if err != nil {
		return "", err
	}
	handle := strings.TrimSpace(resp.Envelope.First().ChildText("EnumerationContext"))
	if handle == "" {
		return "", fmt.Errorf("%w: the answer to Enumerate has no EnumerationContext", ErrMalformed)
	}
	return handle, nil
}

// Page is what a Pull returned.
type Page struct {
	Items   []Element
	Context string // for the next page; "" after the last
}

// Pull reads a page. A page whose answer is lost cannot be read again: the error is [ErrNoAnswer] then.
func (c *Client) Pull(ctx context.Context, resourceURI, enumerationContext string, limits PageLimits) (*Page, error) {
	if limits.Elements <= 0 {
		limits.Elements = 999
	}
	if limits.Characters <= 0 {
		limits.Characters = 99999
	}
	resp, err := c.Do(ctx, &Request{
		Action: ActionPull, ResourceURI: resourceURI,
		Body: func(w *Writer) {
			w.Start(NamespaceEnumeration, "Pull")
			w.Leaf(NamespaceEnumeration, "EnumerationContext", enumerationContext)
			w.Leaf(NamespaceEnumeration, "MaxElements", strconv.Itoa(limits.Elements))
			w.Leaf(NamespaceEnumeration, "MaxCharacters", strconv.Itoa(limits.Characters))
			w.End()
		},
	})
	if err != nil {
		return nil, err
	}
	el := resp.Envelope.First()
	if el == nil || el.Name != "PullResponse" {
		return nil, fmt.Errorf("%w: no PullResponse", ErrMalformed)
	}
	page := new(Page)
	if items := el.Child("Items"); items != nil {
		page.Items = items.Children
	}
	if el.Child("EndOfSequence") == nil {
		page.Context = strings.TrimSpace(el.ChildText("EnumerationContext"))
	}
	return page, nil
}

// Release ends an enumeration before its last page.
func (c *Client) Release(ctx context.Context, resourceURI, enumerationContext string) error {
	_, err := c.Do(ctx, &Request{
		Action: ActionRelease, ResourceURI: resourceURI,
		Body: func(w *Writer) {
			w.Start(NamespaceEnumeration, "Release")
			w.Leaf(NamespaceEnumeration, "EnumerationContext", enumerationContext)
			w.End()
		},
	})
	return err
}
