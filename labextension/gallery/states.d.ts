/** What `build.mjs` puts together of the files in `states/`. */
declare module 'gallery:states' {
  const all: readonly import('./page').IGalleryState[];
  export default all;
}
