package main

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"sync"

	"github.com/meshcentral-go/sdk/relay/desktop"
)

// The test pattern is a screen of bars with a white square where the viewer's mouse is, which is black while the left button is
// held.
const (
	patternWidth  = 640
	patternHeight = 400
	pointerSize   = 16
)

// bars are the colours of the pattern, from left to right.
var bars = [...]color.RGBA{
	{192, 192, 192, 255}, {192, 192, 0, 255}, {0, 192, 192, 255}, {0, 192, 0, 255},
	{192, 0, 192, 255}, {192, 0, 0, 255}, {0, 0, 192, 255}, {64, 64, 64, 255},
}

// pattern is a screen and its mouse, of one viewer.
type pattern struct {
	screen *image.RGBA // only Capture touches it

	mu      sync.Mutex
	pointer image.Point
	held    bool
}

func newPattern() *pattern {
	return &pattern{screen: image.NewRGBA(image.Rect(0, 0, patternWidth, patternHeight))}
}

// Capture implements [desktop.Source].
func (p *pattern) Capture(context.Context, uint16) (image.Image, error) {
	p.mu.Lock()
	at, held := p.pointer, p.held
	p.mu.Unlock()
	const width = patternWidth / len(bars)
	for i, c := range bars {
		draw.Draw(p.screen, image.Rect(i*width, 0, (i+1)*width, patternHeight), image.NewUniform(c), image.Point{}, draw.Src)
	}
	c := image.White
	if held {
		c = image.Black
	}
	draw.Draw(p.screen, image.Rect(at.X, at.Y, at.X+pointerSize, at.Y+pointerSize), c, image.Point{}, draw.Src)
	return p.screen, nil
}

// Input implements [desktop.Input]. Keys do nothing.
func (p *pattern) Input(_ context.Context, _ uint16, m desktop.Message) error {
	mouse, ok := m.(desktop.Mouse)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pointer = image.Pt(int(mouse.X), int(mouse.Y))
	switch mouse.Action {
	case desktop.MouseLeftDown:
		p.held = true
	case desktop.MouseLeftUp:
		p.held = false
	default: // it moves only
	}
	return nil
}
