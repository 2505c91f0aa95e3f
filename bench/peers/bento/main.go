// Command bento is Bento with the components that the comparison needs, for who has none on PATH.
// Build it with
//
//	cd bench/peers/bento && go build -o /somewhere/on/PATH/bento .
//
// It is a module of its own, so that nothing of it is quell's.
package main

import (
	"context"

	"github.com/warpstreamlabs/bento/public/service"

	_ "github.com/warpstreamlabs/bento/public/components/io"
	_ "github.com/warpstreamlabs/bento/public/components/kafka"
	_ "github.com/warpstreamlabs/bento/public/components/pure"
)

func main() { service.RunCLI(context.Background()) }
