import { Light } from './light.ts';
import { serve } from './serve.ts';
import { Shape } from './shape.ts';

/** A process of the bench whose gateways only load the broker. */
const lights: Light[] = [];

serve({
  build: ({ gateways, members, ...options }) => {
    const shape = new Shape(gateways);
    for (const index of members) lights.push(new Light(shape, index, options));
    return null;
  },
  start: () => Promise.all(lights.map((light) => light.start())),
  stop: async () => {
    await Promise.all(lights.map((light) => light.stop()));
    return null;
  },
});
