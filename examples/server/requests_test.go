package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestRequestsAreWaitedFor ends while a request is being answered: it is waited for, and another one is not taken.
func TestRequestsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q requests
		finish := make(chan struct{})
		handler := q.counted(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-finish }))
		serve := func() int {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			return w.Code
		}
		go serve()
		synctest.Wait()
		left := make(chan int, 1)
		go func() { left <- q.wait(t.Context()) }()
		synctest.Wait()
		require.Empty(t, left)
		require.Equal(t, http.StatusServiceUnavailable, serve())
		close(finish)
		require.Zero(t, <-left)
	})
}

func TestRequestsThatDoNotEnd(t *testing.T) {
	var q requests
	require.True(t, q.begin())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, 1, q.wait(ctx))
	q.end()
	require.Zero(t, (&requests{}).wait(t.Context()))
}
