package wsman

import (
	"context"
	"iter"
)

// Classer is a struct of a class.
type Classer interface {
	Class() string // "AMT_GeneralSettings"
}

// Instance is a pointer to a struct of a class.
type Instance[T any] interface {
	*T
	Classer
}

// Get reads an instance. Selectors say which, if there are several.
func Get[T any, P Instance[T]](ctx context.Context, c *Client, selectors ...Selector) (*T, error) {
	v := new(T)
	el, err := c.Get(ctx, ResourceURI(P(v).Class()), selectors...)
	if err != nil {
		return nil, err
	}
	if err := Decode(el, v); err != nil {
		return nil, err
	}
	return v, nil
}

// Put replaces an instance and returns it as the device stored it, or v if the device does not say. Devices take a property that is missing for one that
// shall be unset: read, change, write.
func Put[T any, P Instance[T]](ctx context.Context, c *Client, v P, selectors ...Selector) (*T, error) {
	uri := ResourceURI(v.Class())
	el, err := c.Put(ctx, uri, func(w *Writer) { w.Value(uri, v.Class(), v) }, selectors...)
	if err != nil {
		return nil, err
	}
	if el == nil {
		return v, nil
	}
	stored := new(T)
	if err := Decode(el, stored); err != nil {
		return nil, err
	}
	return stored, nil
}

// Create makes an instance and returns a reference to it.
func Create(ctx context.Context, c *Client, v Classer) (Ref, error) {
	uri := ResourceURI(v.Class())
	return c.Create(ctx, uri, func(w *Writer) { w.Value(uri, v.Class(), v) })
}

// Delete removes an instance.
func Delete[T any, P Instance[T]](ctx context.Context, c *Client, selectors ...Selector) error {
	var none T
	return c.Delete(ctx, ResourceURI(P(&none).Class()), selectors...)
}

// Enumerate reads all instances of a class, in pages. When the loop ends early the device is told (Release). An error ends
// the loop and comes with a nil instance.
func Enumerate[T any, P Instance[T]](ctx context.Context, c *Client, opts ...EnumerateOption) iter.Seq2[*T, error] {
	var none T
	uri := ResourceURI(P(&none).Class())
	return func(yield func(*T, error) bool) {
		for el, err := range c.Enumerate(ctx, uri, opts...) {
			if err != nil {
				yield(nil, err)
				return
			}
			v := new(T)
			if err := Decode(el, v); err != nil {
				yield(nil, err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Invoke calls a method of an instance. The input is a struct, or nil for a method without parameters. Out gets the
// output's elements; its ReturnValue, if the answer has one, must be 0, else the error is a [*ReturnValueError] named by
// names, and the output is returned besides it.
func Invoke[Out any](ctx context.Context, c *Client, target Ref, method string, in any, names ReturnNames) (*Out, error) {
	uri := target.ResourceURI
	el, err := c.Invoke(ctx, target, method, func(w *Writer) {
		if in == nil {
			w.Start(uri, method+"_INPUT")
			w.End()
			return
		}
		w.Value(uri, method+"_INPUT", in)
	})
	if err != nil {
		return nil, err
	}
	out := new(Out)
	if err := Decode(el, out); err != nil {
		return nil, err
	}
	if err := CheckReturnValue(el, target.ClassName(), method, names); err != nil {
		return out, err
	}
	return out, nil
}
