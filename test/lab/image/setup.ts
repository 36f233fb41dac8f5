// Jest's: has the image built before the first file of the project.
import { prepareImage } from './image.ts';

export default async function setup(): Promise<void> {
  await prepareImage();
}
