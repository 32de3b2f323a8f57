/** The logo, which is the page's icon, too: drawn here, so that it is not asked for again. */
export function Logo({ className }: { className: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden className={className}>
      <rect width="32" height="32" rx="9" fill="#B4532A" />
      <path
        d="M18.6 5.5 9.2 17.6c-.4.5 0 1.2.6 1.2h4.7l-1.6 7.5c-.1.6.6 1 1 .5l9.1-12.4c.4-.5 0-1.2-.6-1.2h-4.6l1.8-7.2c.2-.6-.6-1-1-.5Z"
        fill="#FFF8F0"
      />
    </svg>
  );
}
